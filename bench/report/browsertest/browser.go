package browsertest

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take in a browser that shares two cores with other tests.
const patience = 60 * time.Second

// Find returns the path of a Chromium or Chrome: the variable CHROMIUM names one, else the PATH is searched.
func Find() (string, error) {
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless-shell"}
	if named := os.Getenv("CHROMIUM"); named != "" {
		names = []string{named}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no browser found (looked for %s): apt-get install chromium, or name one in the variable CHROMIUM; with POOLERD_E2E_OPTIONAL=1 tests that need one are skipped",
		strings.Join(names, ", "))
}

// Page is a file that is open in a browser of its own, which ends with the test.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

// Open opens the file at path in a window of 1200 by 900 pixels, in light colours, and waits until it is loaded. It ends the test where there is no
// browser, or skips it where POOLERD_E2E_OPTIONAL=1 says so.
func Open(t testing.TB, path string) *Page {
	t.Helper()
	browser, err := Find()
	if err != nil {
		if os.Getenv("POOLERD_E2E_OPTIONAL") == "1" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	p := &Page{t: t, ctx: start(t, browser)}
	if err := chromedp.Listen(p.ctx, p.note); err != nil {
		t.Fatalf("starting %s: %v", browser, err)
	}
	p.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return chromedp.Void{}, err
	})
	p.Resize(1200, 900)
	p.Dark(false)
	p.Load(path)
	return p
}

// Load opens another file in the same window and forgets the problems of the one before.
func (p *Page) Load(path string) {
	p.t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.problems = nil
	p.mu.Unlock()
	p.do(chromedp.Navigate((&url.URL{Scheme: "file", Path: path}).String()))
	p.settle()
}

// start starts a browser with a new profile, which is removed when the test ends.
func start(t testing.TB, browser string) context.Context {
	t.Helper()
	profile, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(browser), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.WSURLReadTimeout(patience),
	)
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeTab()
		cancel()
		removeAll(t, profile)
	})
	return ctx
}

// removeAll removes the profile, into which children of the browser may write for a moment after it has ended.
func removeAll(t testing.TB, dir string) {
	for deadline := time.Now().Add(10 * time.Second); ; {
		err := os.RemoveAll(dir)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Logf("the browser's profile stays behind: %v", err)
			return
		}
		time.Sleep(20 * time.Millisecond) // there is nothing to wait for but the time itself: the children are not ours
	}
}

// note keeps what should not happen on a page that needs no network. It runs in the loop that reads the browser's messages.
func (p *Page) note(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.problem("exception: " + text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			words := []string{"console." + string(e.Type) + ":"}
			for _, a := range e.Args {
				words = append(words, cmp.Or(a.Description, string(a.Value)))
			}
			p.problem(strings.Join(words, " "))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.problem(fmt.Sprintf("log: %s %s", e.Entry.Text, e.Entry.URL))
		}
	case *network.EventRequestWillBeSent:
		if to := e.Request.URL; !strings.HasPrefix(to, "file://") && !strings.HasPrefix(to, "data:") {
			p.problem("request: " + to)
		}
	}
}

func (p *Page) problem(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// Problems are the exceptions, the warnings and errors of the console, and the requests for anything but files, since the page was opened.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.problems...)
}

func (p *Page) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	run(p, chromedp.Steps(steps...))
}

func run[T any](p *Page, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
	return v
}

// Eval is what the JavaScript expression gives on the page, or what its promise does.
func Eval[T any](p *Page, expression string) T {
	p.t.Helper()
	return run(p, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// settle waits until the page has been drawn twice: a handler of the first frame may draw anew.
func (p *Page) settle() {
	p.t.Helper()
	Eval[bool](p, `new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))))`)
}

// Resize gives the window a size in pixels.
func (p *Page) Resize(width, height int) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(int64(width), int64(height)))
	p.settle()
}

// Dark asks the page for dark colours, or light ones.
func (p *Page) Dark(dark bool) {
	p.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	p.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	})
	p.settle()
}

// Click clicks on the first element that the CSS selector finds.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
	p.settle()
}

// Screenshot writes a picture of the whole page, in PNG.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	picture := run(p, chromedp.FullScreenshot(100))
	if err := os.WriteFile(path, picture, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
