"use strict";
(() => {
  const page = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const element = (name, text, attributes = {}) => {
    const e = document.createElement(name);
    if (text != null) e.textContent = text;
    for (const [k, v] of Object.entries(attributes)) if (v != null) e.setAttribute(k, v);
    return e;
  };
  const clock = (s) => new Date(s * 1e3).toISOString().replace("T", " ").slice(0, 19);
  const unique = (list) => [...new Set(list)];

  $("title").textContent = page.title;
  $("kind").textContent = page.kind;
  const list = element("ul");
  for (const s of page.summary || []) list.append(element("li", s));
  if (list.children.length) $("summary").append(list);

  // The verdict table: a row for each policy on each trace, compared with today's policy on the same trace.
  const measures = page.measures || [], verdicts = page.verdicts || [];
  const today = page.today || (verdicts[0] || {}).policy;
  const write = (v, m) => v.toLocaleString("en-GB", { minimumFractionDigits: m.digits, maximumFractionDigits: m.digits });
  function verdictTable() {
    const table = $("verdict"), several = unique(verdicts.map((v) => v.trace)).length > 1;
    const head = element("tr");
    head.append(element("th", "Policy"));
    if (several) head.append(element("th", "Trace"));
    for (const m of measures) head.append(element("th", m.name + (m.unit ? `, ${m.unit}` : ""), { class: "figure", title: m.meaning }));
    table.append(element("thead"));
    table.tHead.append(head);
    const body = element("tbody");
    for (const v of verdicts) {
      const row = element("tr", null, { class: v.policy === page.today ? "today" : null });
      row.append(element("td", v.policy));
      if (several) row.append(element("td", v.trace));
      const base = verdicts.find((o) => o.policy === today && o.trace === v.trace);
      for (const m of measures) row.append(figureCell(v.values[m.key], base && base !== v ? base.values[m.key] : null, m));
      body.append(row);
    }
    table.append(body);
    if (verdicts.length > 1) {
      $("verdict-hint").textContent = `Green is better and red is worse than ${today} by more than one part in a hundred.` +
        (verdicts.some((v) => Object.values(v.values).some((x) => x.low != null)) ? " Small figures: the range over traces and seeds." : "");
    }
  }
  function figureCell(value, base, m) {
    if (!value) return element("td", "–", { class: "figure" });
    const cell = element("td", write(value.middle, m), { class: "figure" });
    if (value.low != null && value.high != null) cell.append(element("span", `${write(value.low, m)} to ${write(value.high, m)}`, { class: "range" }));
    if (base && m.better) {
      const by = value.middle - base.middle, least = Math.abs(base.middle) * 0.01;
      if (Math.abs(by) > Math.max(least, 1e-9)) cell.classList.add((by < 0) === (m.better === "lower") ? "better" : "worse");
    }
    return cell;
  }

  // The charts.
  const runs = page.runs || [];
  let chosen = [];
  const name = (r) => `${r.policy} on ${r.trace}`;
  function fill(select, values, none) {
    if (none) select.append(element("option", none, { value: "" }));
    for (const v of values) select.append(element("option", v, { value: v }));
  }
  // offer lists the policies that ran on the chosen trace, and keeps those that were chosen where they did.
  function offer() {
    const there = unique(runs.filter((r) => r.trace === $("trace").value).map((r) => r.policy));
    for (const [select, none] of [[$("first")], [$("second"), "nothing"]]) {
      const was = select.value;
      select.replaceChildren();
      fill(select, there, none);
      if (there.includes(was)) select.value = was;
      select.parentElement.hidden = there.length < 2;
    }
  }
  function choose() {
    const of = (p) => runs.find((r) => r.trace === $("trace").value && r.policy === p);
    chosen = [of($("first").value) || runs.find((r) => r.trace === $("trace").value), of($("second").value)].filter(Boolean);
    if (chosen.length === 2 && chosen[0] === chosen[1]) chosen.pop();
    charts();
    decisions();
  }
  function charts() {
    if (!draw.ready || !chosen.length) return;
    const place = $("charts"), kept = draw.range();
    draw.clear(place);
    place.classList.toggle("two", chosen.length === 2);
    const sides = chosen.map(() => element("div"));
    place.append(...sides);
    chosen.forEach((r, i) => draw.run(sides[i], r, { hover: tell, pick: (d) => pick(r, d) }));
    if (chosen.length === 2) {
      const wide = element("div", null, { class: "wide" });
      place.append(wide);
      draw.difference(wide, chosen[0], chosen[1]);
    }
    const notes = unique(chosen.map((r) => r.note).filter(Boolean));
    if (notes.length) place.prepend(element("p", notes.join(" "), { class: "hint wide" }));
    if (kept) draw.zoom();
  }
  const sentence = (d) => (d.action === "scale" ? `${d.direction} ${d.from} → ${d.to}` : `hold at ${d.from}`);
  function tell(d, u, left, top) {
    const tip = $("tip");
    tip.hidden = !d;
    if (!d) return;
    tip.replaceChildren(element("b", sentence(d)), element("div", `${clock(d.at)} UTC · ${d.reason}`));
    for (const x of d.rails || []) tip.append(element("div", `${x.rail}: ${x.code}, ${x.before} → ${x.after}`));
    const box = u.over.getBoundingClientRect();
    tip.style.left = Math.min(box.left + left + 16, innerWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = Math.min(box.top + top + 16, innerHeight - tip.offsetHeight - 8) + "px";
  }

  // The decisions, a page of them at a time, so that a month of them does not stop the browser.
  const most = 50;
  let from = 0;
  const id = (r, d) => `d-${runs.indexOf(r)}-${(r.decisions || []).indexOf(d)}`;
  function decisions() {
    const table = $("decisions");
    table.replaceChildren();
    const all = chosen.flatMap((r) => (r.decisions || []).map((d) => ({ r, d }))).sort((a, b) => a.d.at - b.d.at);
    from = Math.max(0, Math.min(from, all.length - 1));
    from -= from % most;
    const part = all.slice(from, from + most);
    const hint = $("decisions-hint");
    hint.replaceChildren(element("span", all.length
      ? `Those that changed something or that a rail changed: ${from + 1} to ${from + part.length} of ${all.length}. ` : "None."));
    const step = (text, by) => {
      const b = element("button", text, { type: "button" });
      b.onclick = () => { from += by; decisions(); };
      hint.append(b);
    };
    if (from > 0) step("earlier", -most);
    if (from + most < all.length) step("later", most);
    if (!part.length) return;
    const head = element("tr");
    for (const h of ["UTC", ...(chosen.length > 1 ? ["Policy"] : []), "Decision", "Reason", "Rails", "Explanation"]) head.append(element("th", h));
    table.append(element("thead"));
    table.tHead.append(head);
    const body = element("tbody");
    for (const { r, d } of part) {
      const row = element("tr", null, { id: id(r, d) });
      row.append(element("td", clock(d.at)));
      if (chosen.length > 1) row.append(element("td", r.policy));
      row.append(element("td", sentence(d), { class: d.direction }), element("td", d.reason),
        element("td", (d.rails || []).map((x) => `${x.code} ${x.before} → ${x.after}`).join("; ")));
      const cell = element("td");
      if (d.text) {
        const details = element("details");
        details.append(element("summary", d.entry || "why"), element("pre", d.text));
        cell.append(details);
      } else if (d.entry) cell.textContent = d.entry;
      row.append(cell);
      body.append(row);
    }
    table.append(body);
  }
  function pick(r, d) {
    const all = chosen.flatMap((x) => (x.decisions || [])).sort((a, b) => a.at - b.at);
    from = all.indexOf(d);
    decisions();
    location.hash = id(r, d);
    reveal();
  }
  // reveal opens the explanation that the address names, so that a link to a decision can be passed on.
  function reveal() {
    const [, run, n] = location.hash.match(/^#d-(\d+)-(\d+)$/) || [];
    const r = runs[run], d = r && (r.decisions || [])[n];
    if (!d) return;
    if (!chosen.includes(r)) {
      $("trace").value = r.trace;
      offer();
      $("first").value = r.policy;
      $("second").value = "";
      choose();
    }
    let row = document.getElementById(id(r, d));
    if (!row) {
      from = chosen.flatMap((x) => (x.decisions || [])).sort((a, b) => a.at - b.at).indexOf(d);
      decisions();
      row = document.getElementById(id(r, d));
    }
    for (const m of document.querySelectorAll("tr.marked")) m.classList.remove("marked");
    row.classList.add("marked");
    const details = row.querySelector("details");
    if (details) details.open = true;
    row.scrollIntoView({ block: "center" });
  }

  // The words.
  for (const m of measures) $("measures").append(element("dt", m.name), element("dd", m.meaning));
  if ((page.assumptions || []).length) {
    const table = $("assumptions"), head = element("tr");
    for (const h of ["Assumption", "Value", "Why"]) head.append(element("th", h));
    table.append(head);
    for (const a of page.assumptions) {
      const row = element("tr");
      row.append(element("td", a.name), element("td", a.value), element("td", a.why || ""));
      table.append(row);
    }
  } else $("s-assumptions").hidden = true;

  const dark = matchMedia("(prefers-color-scheme: dark)");
  let theme = dark.matches ? "dark" : "light";
  const wear = (t) => { document.documentElement.dataset.theme = t; charts(); };
  $("theme").onclick = () => { theme = theme === "dark" ? "light" : "dark"; wear(theme); };
  dark.addEventListener("change", () => { theme = dark.matches ? "dark" : "light"; wear(theme); });
  // Paper is white, and as wide as a page.
  addEventListener("beforeprint", () => { wear("light"); draw.fit(); });
  addEventListener("afterprint", () => wear(theme));
  let later;
  addEventListener("resize", () => { cancelAnimationFrame(later); later = requestAnimationFrame(draw.fit); });
  addEventListener("hashchange", reveal);

  document.documentElement.dataset.theme = theme;
  verdictTable();
  fill($("trace"), unique(runs.map((r) => r.trace)));
  offer();
  for (const s of ["first", "second"]) $(s).onchange = choose;
  $("trace").onchange = () => { offer(); choose(); };
  $("whole").onclick = () => { if (chosen.length) draw.whole(chosen[0].at[0], chosen[0].at[chosen[0].at.length - 1]); };
  choose();
  reveal();
  document.documentElement.dataset.drawn = String(runs.length);
})();
