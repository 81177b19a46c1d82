// Draws the charts that the page carries as JSON (see chart.go), and makes the table of runs sortable. Nothing is loaded from anywhere.
(() => {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent) || [];
  const root = document.documentElement;
  const drawn = []; // one a chart: {draw, resize}

  // --- figures in words; the tables' words are written by the program, in the same way
  const group = (v, digits) => v.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const three = (v) => group(v, Math.abs(v) >= 99.95 || v === 0 ? 0 : Math.abs(v) >= 9.995 ? 1 : 2);
  const scaled = (us) => (Math.abs(us) < 999.5 ? [us, " µs"] : Math.abs(us) < 999500 ? [us / 1e3, " ms"] : [us / 1e6, " s"]);
  const write = {
    n: three,
    us: (v) => three(scaled(v)[0]) + scaled(v)[1],
    ratio: (v) => v.toFixed(2),
    nines: (v) => +(100 * (1 - 1 / v)).toPrecision(6) + "%",
  };
  const plain = (v) => group(+v.toPrecision(6), 0) === "" + v || Number.isInteger(v) ? group(v, 0) : "" + +v.toPrecision(3);
  const tick = { n: plain, us: (v) => plain(+scaled(v)[0].toPrecision(3)) + scaled(v)[1], ratio: (v) => v.toFixed(2), nines: write.nines };

  // --- colours: a palette for unrelated things, a ramp for ordered ones
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const list = (name) => css(name).split(",").map((c) => c.trim());
  const rgb = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  function ramp(i, n) {
    const stops = list("--ramp");
    if (n < 2) return list("--c")[0];
    const at = (i / (n - 1)) * (stops.length - 1);
    const a = rgb(stops[Math.floor(at)]), b = rgb(stops[Math.ceil(at)]);
    return "rgb(" + a.map((v, k) => Math.round(v + (b[k] - v) * (at % 1))).join(",") + ")";
  }
  const colour = (s) => (s.of ? ramp(s.color, s.of) : list("--c")[s.color % list("--c").length]);

  // --- scales
  function extent(chart, facet) {
    let low = Infinity, high = -Infinity;
    for (const s of facet.series)
      for (const values of [s.y, s.low || [], s.high || []])
        for (const v of values) if (v !== null && (chart.y.scale !== "log" || v > 0)) { low = Math.min(low, v); high = Math.max(high, v); }
    if (chart.reference !== undefined) { low = Math.min(low, chart.reference); high = Math.max(high, chart.reference); }
    if (low > high) return [0, 1];
    if (chart.y.scale === "log") return [low / 1.25, high * 1.25];
    if (chart.y.unit === "ratio") { const room = Math.max((high - low) * 0.12, 0.02); return [low - room, high + room]; }
    return [0, high > 0 ? high * 1.08 : 1];
  }
  function acrossRange(chart, xs) {
    const low = xs[0], high = xs[xs.length - 1];
    if (chart.x.scale === "log" && low > 0) { const by = chart.x.unit === "nines" ? 1 : Math.pow(high / low, 0.03) || 1; return low === high ? [low / 2, high * 2] : [low / by, high * by]; }
    const room = (high - low) * 0.04 || 1;
    return [low - room, high + room];
  }
  // Sizes are marked where they were measured; marks that would run into each other are left out.
  function acrossTicks(u, chart, xs) {
    if (chart.x.unit === "nines") { const out = [1, 2, 10]; for (let v = 100; v <= xs[xs.length - 1] * 1.01; v *= 10) out.push(v); return spaced(u, chart, out); }
    return spaced(u, chart, xs);
  }
  function spaced(u, chart, values) {
    const out = [];
    let edge = -Infinity;
    for (const v of values) {
      const half = (tick[chart.x.unit](v).length * 7) / 2 + 4, at = u.valToPos(v, "x");
      if (at - half >= edge) { out.push(v); edge = at + half; }
    }
    return out;
  }
  function logTicks(low, high) {
    const all = [];
    for (let d = Math.floor(Math.log10(low)); Math.pow(10, d) <= high; d++) for (const m of [1, 2, 5]) all.push(m * Math.pow(10, d));
    const within = (list) => list.filter((v) => v >= low * 0.999 && v <= high * 1.001);
    const inside = within(all);
    if (inside.length < 3) return within(all.flatMap((v) => (Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6 ? [1, 2, 3, 4, 5, 6, 7, 8, 9].map((m) => m * v) : [])));
    if (inside.length <= 8) return inside;
    const tens = inside.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6);
    return tens.length > 2 ? tens : inside.filter((_, i) => i % 2 === 0);
  }

  // --- what uPlot does not draw by itself: points, bars of the spread, the line of reference, names at the ends of lines
  function details(chart, facet, named) {
    return (u) => {
      const ctx = u.ctx, ratio = devicePixelRatio || 1;
      const px = (v) => u.valToPos(v, "x", true), py = (v) => u.valToPos(v, "y", true);
      ctx.save();
      if (chart.reference !== undefined) {
        ctx.strokeStyle = css("--soft");
        ctx.lineWidth = ratio;
        ctx.setLineDash([4 * ratio, 4 * ratio]);
        ctx.beginPath();
        ctx.moveTo(u.bbox.left, py(chart.reference));
        ctx.lineTo(u.bbox.left + u.bbox.width, py(chart.reference));
        ctx.stroke();
        ctx.setLineDash([]);
      }
      const ends = [];
      facet.series.forEach((s, k) => {
        if (!u.series[k + 1].show) return;
        const c = colour(s);
        ctx.strokeStyle = ctx.fillStyle = c;
        ctx.lineWidth = 1.5 * ratio;
        let last = -1;
        s.y.forEach((v, i) => {
          if (v === null || (chart.y.scale === "log" && v <= 0)) return;
          last = i;
          // Points of one load stand beside each other, so that their bars can be told apart.
          const aside = s.style === "points" && chart.reference !== undefined ? (k - (facet.series.length - 1) / 2) * 6 * ratio : 0;
          const x = px(facet.x[i]) + aside, y = py(v);
          if (s.low && s.low[i] !== null && s.high[i] !== null) {
            const a = py(s.low[i]), b = py(s.high[i]), cap = 3 * ratio;
            if (a - b > 2 * ratio) {
              ctx.beginPath();
              ctx.moveTo(x, a); ctx.lineTo(x, b);
              ctx.moveTo(x - cap, a); ctx.lineTo(x + cap, a);
              ctx.moveTo(x - cap, b); ctx.lineTo(x + cap, b);
              ctx.stroke();
            }
          }
          if (s.style === "curve") return;
          ctx.beginPath();
          ctx.arc(x, y, (s.style === "points" ? 4.5 : s.style === "dashed" ? 2 : 3.5) * ratio, 0, 2 * Math.PI);
          if (s.hollow && s.hollow[i]) { ctx.fillStyle = css("--card"); ctx.fill(); ctx.stroke(); ctx.fillStyle = c; } else ctx.fill();
        });
        if (last >= 0 && s.style !== "points") ends.push({ text: s.name, c, x: px(facet.x[last]), y: py(s.y[last]) });
      });
      if (named) nameEnds(ctx, ends, ratio, u.bbox);
      ctx.restore();
    };
  }
  function nameEnds(ctx, ends, ratio, box) {
    ctx.font = 11.5 * ratio + "px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    ctx.textAlign = "left";
    const gap = 13 * ratio;
    ends.sort((a, b) => a.y - b.y);
    for (let i = 1; i < ends.length; i++) ends[i].y = Math.max(ends[i].y, ends[i - 1].y + gap);
    const over = ends.length ? ends[ends.length - 1].y - (box.top + box.height) : 0;
    for (let i = ends.length - 1, floor = box.top + box.height; over > 0 && i >= 0; i--, floor -= gap) ends[i].y = Math.min(ends[i].y, floor);
    for (const e of ends) { ctx.fillStyle = e.c; ctx.fillText(e.text, e.x + 9 * ratio, e.y); }
  }

  // --- one chart
  const width = (() => { const ctx = document.createElement("canvas").getContext("2d"); return (text, size) => { ctx.font = size + "px system-ui, sans-serif"; return ctx.measureText(text).width; }; })();

  function build(chart, place, facet) {
    const room = place.clientWidth, wide = room > 420;
    const [low, high] = extent(chart, facet), across = acrossRange(chart, facet.x);
    const named = wide && facet.series.length > 1 && facet.series.filter((s) => s.style !== "points").length > 1;
    const names = named ? Math.max(...facet.series.map((s) => width(s.name, 11.5))) + 12 : 14;
    const font = "11.5px system-ui, sans-serif";
    const axis = { stroke: css("--soft"), font, labelFont: font, labelSize: 18, ticks: { show: false }, grid: { stroke: css("--grid"), width: 1 } };
    const across3 = chart.x.scale === "log" && across[0] > 0;
    const up3 = chart.y.scale === "log" && low > 0;
    const options = {
      width: room, height: wide ? 300 : 270, padding: [12, names, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 9 }, focus: { prox: 20 } },
      focus: { alpha: 0.35 },
      scales: {
        x: { time: false, distr: across3 ? 3 : 1, log: 10, range: () => across },
        y: { distr: up3 ? 3 : 1, log: 10, range: () => [low, high] },
      },
      axes: [
        { ...axis, label: chart.x.label, gap: 6, size: 30, splits: (u) => acrossTicks(u, chart, facet.x), filter: (u, s) => s, values: (u, s) => s.map(tick[chart.x.unit]), grid: { ...axis.grid, show: chart.x.unit === "nines" } },
        { ...axis, label: chart.y.label, gap: 6, size: (u, values) => Math.max(24, ...(values || []).map((v) => width(v, 11.5))) + 10, filter: (u, s) => s, values: (u, s) => s.map(tick[chart.y.unit]), ...(up3 ? { splits: () => logTicks(low, high) } : {}) },
      ],
      series: [
        { label: chart.x.label.replace(/ \(.*/, ""), value: (u, v) => (v === null ? "" : write[chart.x.unit](v)) },
        ...facet.series.map((s) => ({
          label: s.name, stroke: colour(s), width: s.style === "points" ? 0 : 2, dash: s.style === "dashed" ? [6, 5] : undefined, spanGaps: true,
          points: { show: false }, value: (u, v) => (v === null || v === undefined ? "" : write[chart.y.unit](v)),
          ...(s.style === "points" ? { paths: () => null } : {}),
        })),
      ],
      legend: { markers: { width: 2, fill: (u, i) => (i ? colour(facet.series[i - 1]) : "transparent"), stroke: (u, i) => (i ? colour(facet.series[i - 1]) : "transparent") } },
      hooks: { draw: [details(chart, facet, named)], setCursor: [(u) => u.root.classList.toggle("pointed", u.cursor.idx !== null && u.cursor.idx !== undefined)] },
    };
    return new uPlot(options, [facet.x, ...facet.series.map((s) => (up3 ? s.y.map((v) => (v > 0 ? v : null)) : s.y))], place);
  }

  function show(chart) {
    const figure = document.getElementById(chart.id), place = figure.querySelector(".plot"), buttons = figure.querySelector(".facets");
    let current = chart.start, plot = null, built = 0;
    const draw = () => {
      if (plot) plot.destroy();
      built = place.clientWidth;
      plot = build(chart, place, chart.facets[current]);
    };
    if (chart.facets.length > 1)
      chart.facets.forEach((f, i) => {
        const b = document.createElement("button");
        b.type = "button";
        b.textContent = f.name;
        b.setAttribute("aria-pressed", i === current);
        b.addEventListener("click", () => {
          current = i;
          [...buttons.children].forEach((other, k) => other.setAttribute("aria-pressed", k === i));
          draw();
        });
        buttons.append(b);
      });
    draw();
    drawn.push({ draw, resize: () => { if (place.clientWidth !== built) draw(); } });
  }

  // --- the table of runs
  function sortable(table) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      const b = document.createElement("button");
      b.type = "button";
      b.textContent = head.textContent;
      head.replaceChildren(b);
      b.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const value = (row) => row.cells[i].dataset.v;
        const compare = (a, b) => (isNaN(a) || isNaN(b) || a === "" || b === "" ? (a === b ? 0 : a < b ? -1 : 1) : a - b);
        body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * compare(value(a), value(b))));
      });
    });
  }

  for (const chart of charts) show(chart);
  document.querySelectorAll("table.sortable").forEach(sortable);

  const redraw = () => drawn.forEach((d) => d.draw());
  let pending = 0;
  addEventListener("resize", () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(() => drawn.forEach((d) => d.resize())); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  addEventListener("beforeprint", () => { root.classList.add("paper"); redraw(); });
  addEventListener("afterprint", () => { root.classList.remove("paper"); redraw(); });
})();
