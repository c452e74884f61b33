"use strict";
// draw holds what turns a run into charts. It knows uPlot and the page's colours, and nothing of tables.
const draw = (() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const faded = (c, percent) => `color-mix(in srgb, ${c} ${percent}%, transparent)`;
  const shown = []; // the charts on the page, which zoom together
  let range = null; // the zoom, kept when the charts are drawn anew
  let alike = {}; // the columns of each kind of chart: policies that stand side by side have one scale
  const api = { moved: () => {} };

  // clock labels the axis of time: the day where it begins, else the hour.
  function clock(u, splits) {
    let day = "";
    return splits.map((t) => {
      const iso = new Date(t * 1e3).toISOString(), hour = iso.slice(11, 16), seconds = iso.slice(17, 19);
      const date = iso.slice(0, 10);
      const label = (hour === "00:00" || day === "") ? date + (hour === "00:00" ? "" : "\n" + hour) : date !== day ? date + "\n" + hour : seconds === "00" ? hour : hour + ":" + seconds;
      day = date;
      return label;
    });
  }

  // axes are those of every chart; the clock is UTC, as in the journal.
  function axes(label) {
    const line = { stroke: colour("grid"), width: 1 };
    const common = { stroke: colour("faint"), grid: line, ticks: line, font: "11px system-ui, DejaVu Sans, sans-serif" };
    return [
      { ...common, space: 70, values: clock },
      { ...common, size: 56, label, labelSize: 16, labelFont: "11px system-ui, DejaVu Sans, sans-serif", labelGap: 0 },
    ];
  }

  // synced sets the zoom of all charts at once.
  function synced(min, max) {
    const was = range;
    range = [min, max];
    if (!was || was[0] !== min || was[1] !== max) api.moved();
    for (const u of shown) if (u.scales.x.min !== min || u.scales.x.max !== max) u.setScale("x", { min, max });
  }

  function chart(place, title, label, series, data, more = {}) {
    const box = document.createElement("div");
    box.className = "chart" + (more.wide ? " wide" : "");
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", title);
    const h = document.createElement("h3");
    h.textContent = title;
    box.append(h);
    place.append(box);
    const options = {
      width: Math.max(320, box.clientWidth), height: more.height || 190, series: [{ label: "UTC", value: (u, t) => (t == null ? "–" : new Date(t * 1e3).toISOString().slice(0, 16).replace("T", " ")) }, ...series], axes: axes(label),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
      bands: more.bands, plugins: more.plugins || [],
      legend: { live: true, show: !more.mute },
      cursor: { sync: { key: "time", setSeries: false }, drag: { x: true, y: false }, focus: { prox: -1 } },
      scales: { x: { time: true }, y: more.scale || { range: (u, lo, hi) => {
        const top = Math.max(hi || 0, more.kind ? highest(more.kind, u.scales.x.min, u.scales.x.max) : 0);
        return [Math.min(0, lo || 0), top > 0 ? top * 1.08 : 1];
      } } },
      hooks: { setScale: [(u, key) => { if (key === "x" && u.ready) synced(u.scales.x.min, u.scales.x.max); }] },
    };
    if (more.rows) options.axes[1] = { ...options.axes[1], ...more.rows };
    const u = new uPlot(options, data, box);
    u.ready = true;
    u.box = box;
    shown.push(u);
    return u;
  }

  const steps = () => uPlot.paths.stepped({ align: 1 });
  const totals = (r) => r.at.map((_, i) => ((r.regular || [])[i] || 0) + ((r.spot || [])[i] || 0));
  function scales(runs) {
    alike = {};
    const add = (kind, at, ...columns) => (alike[kind] = [...(alike[kind] || []), ...columns.filter(Boolean).map((c) => [at, c])]);
    for (const r of runs) {
      add("capacity", r.at, totals(r), r.demand, r.wanted);
      add("unmet", r.at, r.unmet);
      add("cost", r.at, r.cost);
      for (const s of r.signals || []) add("signal " + (s.unit || s.name), r.at, s.values);
      for (const s of r.prices || []) add("price", r.at, s.values);
    }
  }
  // highest is the largest figure of a kind in the time that is shown.
  function highest(kind, from, to) {
    let most = 0;
    for (const [at, column] of alike[kind] || []) {
      for (let i = 0; i < at.length; i++) {
        if (column[i] > most && (from == null || (at[i] >= from && at[i] <= to))) most = column[i];
      }
    }
    return most;
  }
  const line = (label, c, extra = {}) => ({ label, stroke: c, width: 1.5, points: { show: false }, ...extra });
  const figure = (digits) => (u, v) => (v == null ? "–" : v.toFixed(digits));

  // marks draws a run's decisions on the chart of capacity, and tells what the pointer is near to.
  function marks(run, onHover, onPick) {
    const kind = { grow: "grow", shrink: "shrink" };
    let near = null;
    const at = (u, d) => [u.valToPos(d.at, "x"), u.valToPos(d.action === "scale" ? d.to : d.from, "y")];
    return {
      hooks: {
        draw: (u) => {
          const ratio = devicePixelRatio;
          u.ctx.save();
          const seen = (run.decisions || []).filter((d) => d.at >= u.scales.x.min && d.at <= u.scales.x.max);
          for (const d of seen) {
            const [x, y] = at(u, d).map((v) => v * ratio);
            const r = (seen.length > 400 ? 2 : 4) * ratio; // where they crowd they must not hide the load
            u.ctx.fillStyle = colour(kind[d.direction] || "other");
            u.ctx.beginPath();
            const X = x + u.bbox.left, Y = y + u.bbox.top;
            if (d.direction === "grow") { u.ctx.moveTo(X, Y - r); u.ctx.lineTo(X + r, Y + r); u.ctx.lineTo(X - r, Y + r); }
            else if (d.direction === "shrink") { u.ctx.moveTo(X, Y + r); u.ctx.lineTo(X + r, Y - r); u.ctx.lineTo(X - r, Y - r); }
            else { u.ctx.arc(X, Y, r * 0.6, 0, 7); }
            u.ctx.fill();
          }
          u.ctx.restore();
        },
        setCursor: (u) => {
          const { left, top } = u.cursor;
          near = null;
          let best = 14;
          if (left >= 0) {
            for (const d of run.decisions || []) {
              const [x, y] = at(u, d);
              const far = Math.hypot(x - left, y - top);
              if (far < best) { best = far; near = d; }
            }
          }
          onHover(near, u, left, top);
        },
        ready: (u) => u.over.addEventListener("click", () => near && onPick(near)),
      },
    };
  }

  function run(place, r, handlers) {
    const empty = r.at.map(() => null);
    const col = (c) => (c && c.length ? c : empty);
    const has = (c) => c && c.length;
    const spot = col(r.spot), regular = col(r.regular);
    const whole = regular.map((v, i) => (v == null ? null : v + (spot[i] || 0)));
    chart(place, `${r.policy}: ${has(r.demand) ? "demand and capacity" : "capacity"}`, "instances", [
      line("capacity (Spot on top)", colour("spot"), { fill: faded(colour("spot"), 45), paths: steps(), value: figure(0) }),
      line("regular", colour("regular"), { fill: faded(colour("regular"), 55), paths: steps(), value: figure(0) }),
      ...(has(r.demand) ? [line("demand", colour("demand"), { value: figure(1) })] : []),
      ...(has(r.wanted) ? [line("wanted", colour("wanted"), { dash: [4, 3], width: 1.2, paths: steps(), value: figure(0) })] : []),
    ], [r.at, whole, regular, ...(has(r.demand) ? [r.demand] : []), ...(has(r.wanted) ? [r.wanted] : [])],
    { height: 250, kind: "capacity", plugins: [marks(r, handlers.hover, handlers.pick)] });
    if (has(r.unmet)) {
      chart(place, "Unmet demand", "instances", [line("unmet", colour("unmet"), { fill: faded(colour("unmet"), 40), value: figure(2) })],
        [r.at, r.unmet], { height: 120, kind: "unmet" });
    }
    const units = new Map();
    // Signals share a chart where they share a unit; one whose unit is not known has its own.
    for (const s of r.signals || []) units.set(s.unit || `of ${s.name}`, [...(units.get(s.unit || `of ${s.name}`) || []), s]);
    for (const [unit, signals] of units) {
      chart(place, `Signals: ${signals.map((s) => s.name).join(", ")}`, signals[0].unit || "value",
        signals.map((s, i) => line(s.name, colour("line-" + (1 + (i % 6))), { value: figure(2) })),
        [r.at, ...signals.map((s) => s.values)], { height: 150, kind: "signal " + (signals[0].unit || signals[0].name) });
    }
    rails(place, r, handlers);
    if (has(r.cost)) {
      chart(place, "Cost so far" + (r.currency ? ", " + r.currency : ""), "cost", [line("cost", colour("wanted"), { value: figure(2) })], [r.at, r.cost], { height: 120, kind: "cost" });
    }
    if (has(r.prices)) {
      chart(place, "Prices" + (r.currency ? ", " + r.currency : "") + " an hour", "price", r.prices.map((s, i) => line(s.name, colour(i ? "spot" : "regular"), { paths: steps(), value: figure(4) })),
        [r.at, ...r.prices.map((s) => s.values)], { height: 120, kind: "price" });
    }
  }

  // rails draws which rail fired when, and what happened to the fleet: a row for each code and kind.
  function rails(place, r, handlers) {
    const fired = (r.decisions || []).flatMap((d) => (d.rails || []).map((x) => ({ at: d.at, row: x.code, text: `${x.before} → ${x.after}` })));
    const happened = (r.events || []).map((e) => ({ at: e.at, row: e.kind, text: e.text }));
    const rows = [...new Set(happened.map((e) => e.row))].sort().concat([...new Set(fired.map((e) => e.row))].sort());
    if (!rows.length) return;
    const all = [...happened, ...fired];
    const at = [...new Set([r.at[0], ...all.map((e) => e.at), r.at[r.at.length - 1]])].sort((a, b) => a - b);
    const index = new Map(at.map((t, i) => [t, i]));
    const columns = rows.map(() => at.map(() => null));
    for (const e of all) columns[rows.indexOf(e.row)][index.get(e.at)] = rows.indexOf(e.row) + 1;
    chart(place, "Rails that fired" + (happened.length ? ", and what happened to the fleet" : ""), "", rows.map((c, i) => ({
      label: c, stroke: colour("line-" + (1 + (i % 6))), paths: () => null,
      points: { show: true, size: 6, fill: colour("line-" + (1 + (i % 6))) },
    })), [at, ...columns], {
      height: 50 + 18 * rows.length, scale: { range: [0, rows.length + 1] }, mute: true,
      rows: { label: null, size: 130, splits: () => rows.map((_, i) => i + 1), values: () => rows, gap: 4, ticks: { show: false } },
      plugins: [{ hooks: { setCursor: (u) => {
        const { left, top } = u.cursor;
        let near = null, best = 10;
        if (left >= 0) {
          for (const e of all) {
            const far = Math.hypot(u.valToPos(e.at, "x") - left, u.valToPos(rows.indexOf(e.row) + 1, "y") - top);
            if (far < best) { best = far; near = e; }
          }
        }
        handlers.hover(near && { kind: near.row, at: near.at, text: near.text }, u, left, top);
      } } }],
    });
  }

  // difference draws how two runs differ at the instants of the first.
  function difference(place, a, b) {
    const along = (r, column) => {
      let j = 0;
      return a.at.map((t) => { while (j + 1 < r.at.length && r.at[j + 1] <= t) j++; return r.at[j] <= t ? column[j] : null; });
    };
    const minus = (x, y) => x.map((v, i) => (v == null || y[i] == null ? null : v - y[i]));
    const free = { range: (u, lo, hi) => { const m = Math.max(Math.abs(lo || 0), Math.abs(hi || 0), 1) * 1.1; return [-m, m]; } };
    chart(place, `Capacity: ${a.policy} less ${b.policy}`, "instances",
      [line("difference", colour("regular"), { fill: faded(colour("regular"), 30), paths: steps(), value: figure(0) })],
      [a.at, minus(totals(a), along(b, totals(b)))], { height: 130, scale: free, wide: true });
    if ((a.unmet || []).length && (b.unmet || []).length) {
      chart(place, `Unmet demand: ${a.policy} less ${b.policy}`, "instances",
        [line("difference", colour("unmet"), { fill: faded(colour("unmet"), 30), value: figure(2) })],
        [a.at, minus(a.unmet, along(b, b.unmet))], { height: 130, scale: free, wide: true });
    }
    if ((a.cost || []).length && (b.cost || []).length) {
      chart(place, `Cost so far: ${a.policy} less ${b.policy}`, "cost",
        [line("difference", colour("wanted"), { fill: faded(colour("wanted"), 30), value: figure(2) })],
        [a.at, minus(a.cost, along(b, b.cost))], { height: 130, scale: free, wide: true });
    }
  }

  function clear(place, runs) {
    while (shown.length) shown.pop().destroy();
    place.replaceChildren();
    scales(runs);
  }

  return Object.assign(api, {
    ready: typeof uPlot !== "undefined", run, difference, clear,
    zoom: () => { if (range) { const [lo, hi] = range; for (const u of shown) u.setScale("x", { min: lo, max: hi }); } },
    whole: (lo, hi) => { for (const u of shown) u.setScale("x", { min: lo, max: hi }); },
    fit: () => { for (const u of shown) { const w = u.box.clientWidth; if (w > 100 && Math.abs(w - u.width) > 1) u.setSize({ width: w, height: u.height }); } },
    range: () => range,
  });
})();
