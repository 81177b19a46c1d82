package browsertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func file(t *testing.T, html string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a page #1.html") // a name that a URL must escape
	if err := os.WriteFile(path, []byte("<!doctype html><meta charset=utf-8><title>t</title>"+html), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const plot = `<figure class="chart" id="a"><h3>A</h3><canvas width="300" height="200"></canvas>
<table class="u-legend"><tr class="u-series"><th><span class="u-marker"></span><span class="u-label">x</span></th></tr>
<tr class="u-series"><th><span class="u-marker" style="border: 1px solid #ff0000"></span><span class="u-label">red</span></th></tr>
<tr class="u-series"><th><span class="u-marker" style="border: 1px solid #00ff00"></span><span class="u-label">green</span></th></tr></table>
<details><table><tbody><tr><td>1</td></tr></tbody></table></details></figure>`

// TestWhatIsWrongIsSeen makes sure that the checks of reports can fail.
func TestWhatIsWrongIsSeen(t *testing.T) {
	page := Open(t, file(t, `<link rel=icon href="data:,">`+plot+`<script>document.querySelector("canvas").getContext("2d").fillStyle = "red"</script>`))
	if problems := page.Problems(); len(problems) > 0 {
		t.Errorf("a sound page has problems: %q", problems)
	}
	if plots := page.Plots(); len(plots) != 1 || plots[0].Inked != 0 || len(plots[0].Series) != 2 || plots[0].Series[0].Pixels != 0 || plots[0].Rows != 1 {
		t.Errorf("an empty plot is %+v", plots)
	}

	page.Load(file(t, plot+`<script>const c = document.querySelector("canvas").getContext("2d"); c.fillStyle = "#ff0000"; c.fillRect(10, 10, 20, 5)</script>`))
	if plots := page.Plots(); len(plots) != 1 || plots[0].Inked != 100 || plots[0].Series[0] != (Series{"red", 100}) || plots[0].Series[1] != (Series{"green", 0}) {
		t.Errorf("a red plot is %+v", plots)
	}

	for want, html := range map[string]string{
		"exception: Uncaught Error: broken":         `<script>throw new Error("broken")</script>`,
		"console.error: ":                           `<script>console.error("told")</script>`,
		"request: http://127.0.0.1:9/x":             `<img src="http://127.0.0.1:9/x">`,
		"exception: Uncaught (in promise) 5":        `<script>Promise.reject(5)</script>`,
		"log: Failed to load resource":              `<script src="missing.js"></script>`,
		"exception: Uncaught SyntaxError: Invalid ": `<script>1 = 2</script>`,
	} {
		page.Load(file(t, html))
		if problems := strings.Join(page.Problems(), "\n"); !strings.Contains(problems, want) {
			t.Errorf("%s: problems are %q, want %q", html, problems, want)
		}
	}

	page.Load(file(t, `<div style="width: 2000px">wide</div>`))
	page.Resize(400, 300)
	if over := page.Overflow(); over < 1600 {
		t.Errorf("a page of 2000 pixels is %d too wide for 400", over)
	}
	if dark := Eval[bool](page, `matchMedia("(prefers-color-scheme: dark)").matches`); dark {
		t.Error("dark before it was asked for")
	}
	page.Dark(true)
	if dark := Eval[bool](page, `matchMedia("(prefers-color-scheme: dark)").matches`); !dark {
		t.Error("not dark")
	}
}

func TestNoBrowserNamesTheWayOut(t *testing.T) {
	t.Setenv("CHROMIUM", "/nowhere/chromium")
	_, err := Find()
	if err == nil || !strings.Contains(err.Error(), "apt-get install chromium") || !strings.Contains(err.Error(), "/nowhere/chromium") {
		t.Errorf("error %v", err)
	}
}
