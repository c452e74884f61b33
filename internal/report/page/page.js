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
  for (const [place, sentences] of [["summary", page.summary], ["cases", page.cases]]) {
    if (!sentences?.length) continue;
    const list = element("ul");
    for (const s of sentences) list.append(element("li", s));
    $(place).append(list);
    $(place).hidden = false;
  }
  // On paper nothing can be unfolded.
  addEventListener("beforeprint", () => { $("cases").open = true; });

  // The comparisons: each candidate against every other policy.
  function row(place, cells, tag = "td") {
    const r = element("tr");
    for (const c of cells) r.append(c instanceof Node ? c : element(tag, c));
    place.append(r);
    return r;
  }
  const signed = (v, digits, unit) => {
    const text = Math.abs(v).toFixed(digits);
    return (Number(text) === 0 ? "" : v > 0 ? "+" : "−") + text + unit;
  };
  function comparisonTable() {
    const all = page.comparisons || [], table = $("comparison");
    $("s-comparison").hidden = !all.length;
    if (!all.length) return;
    const several = unique(all.map((c) => c.policy)).length > 1;
    table.append(element("thead"), element("tbody"));
    row(table.tHead, [...(several ? ["Policy"] : []), "Against", "Verdict", ...["Cost", "Unmet demand", "Elastic speed-up"].map((h) => element("th", h, { class: "figure" })), "Single runs"], "th");
    for (const c of all) {
      const badge = element("td");
      badge.append(element("span", c.verdict, { class: "badge " + c.verdict }));
      row(table.tBodies[0], [...(several ? [c.policy] : []), c.against + (c.against === page.today && c.against !== "today" ? " (today)" : ""), badge,
        element("td", signed(c.cost, 1, " %"), { class: "figure" }), element("td", signed(c.unmet, 2, " points"), { class: "figure" }),
        element("td", c.speed_up == null ? "–" : c.speed_up.toFixed(2), { class: "figure" }), c.runs || ""]);
    }
  }

  // The table of measures: a row for each policy on a trace, compared with today's policy on the same trace.
  const measures = page.measures || [], verdicts = page.verdicts || [];
  const today = page.today || (verdicts[0] || {}).policy;
  const write = (v, m) => v.toLocaleString("en-GB", { minimumFractionDigits: m.digits, maximumFractionDigits: m.digits });
  function verdictTable(whole) {
    const table = $("verdict"), on = whole ? "" : $("verdict-trace").value;
    const rows = verdicts.filter((v) => !on || v.trace === on);
    const several = unique(rows.map((v) => v.trace)).length > 1;
    const shown = measures.filter((m) => m.main || $("every").checked || !measures.some((x) => x.main));
    table.replaceChildren(element("thead"), element("tbody"));
    row(table.tHead, ["Policy", ...(several ? ["Trace"] : []),
      ...shown.map((m) => element("th", m.name + (m.unit ? `, ${m.unit}` : ""), { class: "figure", title: m.meaning }))], "th");
    for (const v of rows) {
      const base = verdicts.find((o) => o.policy === today && o.trace === v.trace);
      row(table.tBodies[0], [v.policy, ...(several ? [v.trace] : []),
        ...shown.map((m) => figureCell(v.values[m.key], base && base !== v ? base.values[m.key] : null, m))])
        .className = v.policy === page.today && v.policy !== "today" ? "today" : "";
    }
    $("verdict-hint").textContent = rows.length < 2 ? "" : `Green is better and red is worse than ${today} by more than one part in a hundred.` +
      (rows.some((v) => Object.values(v.values).some((x) => x.low != null)) ? " Small figures: the range over traces and seeds." : "");
  }
  function figureCell(value, base, m) {
    if (!value) return element("td", "–", { class: "figure" });
    const cell = element("td", write(value.middle, m), { class: "figure" });
    if (value.low != null && value.high != null) cell.append(element("span", `${write(value.low, m)} to ${write(value.high, m)}`, { class: "range" }));
    if (base && m.better) {
      const by = value.middle - base.middle, least = Math.abs(base.middle) * 0.01;
      if (Math.abs(by) > Math.max(least, 1e-9)) {
        const good = (by < 0) === (m.better === "lower");
        cell.classList.add(good ? "better" : "worse");
        cell.title = `${good ? "better" : "worse"} than ${today}: ${write(base.middle, m)}`;
      }
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
    draw.clear(place, chosen);
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
  // tell shows what the pointer is near to: a decision, or something that happened to the fleet.
  function tell(d, u, left, top) {
    const tip = $("tip");
    tip.hidden = !d;
    if (!d) return;
    if (d.kind) tip.replaceChildren(element("b", d.kind), element("div", `${clock(d.at)} UTC · ${d.text}`));
    else tip.replaceChildren(element("b", sentence(d)), element("div", `${clock(d.at)} UTC · ${d.reason}`));
    for (const x of d.rails || []) tip.append(element("div", `${x.rail}: ${x.code}, ${x.before} → ${x.after}`));
    const box = u.over.getBoundingClientRect();
    tip.style.left = Math.max(8, Math.min(box.left + left + 16, innerWidth - tip.offsetWidth - 8)) + "px";
    tip.style.top = Math.max(8, Math.min(box.top + top + 16, innerHeight - tip.offsetHeight - 8)) + "px";
  }

  // The decisions of the time that is shown, a page of them at a time, so that a month of them does not stop the browser.
  const most = 50;
  let from = 0;
  const id = (r, d) => `d-${runs.indexOf(r)}-${(r.decisions || []).indexOf(d)}`;
  function listed() {
    let [lo, hi] = draw.range() || [-Infinity, Infinity];
    // A decision at the end of the last step lies behind the last point.
    if (chosen.length && lo <= chosen[0].at[0]) lo = -Infinity;
    if (chosen.length && hi >= chosen[0].at[chosen[0].at.length - 1]) hi = Infinity;
    const kind = $("kinds").value;
    return chosen.flatMap((r) => (r.decisions || []).map((d) => ({ r, d })))
      .filter(({ d }) => d.at >= lo && d.at <= hi && (!kind || (kind === "scale" ? d.action === "scale" : (d.rails || []).length)))
      .sort((a, b) => a.d.at - b.d.at);
  }
  function decisions() {
    const table = $("decisions");
    table.replaceChildren();
    const all = listed();
    from = Math.max(0, Math.min(from, all.length - 1));
    from -= from % most;
    const part = all.slice(from, from + most);
    const hint = $("decisions-hint");
    hint.replaceChildren(element("span", all.length
      ? `Of the time shown: ${from + 1} to ${from + part.length} of ${all.length} that changed something or had a new reason. ` : "None in the time shown."));
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
      const when = element("td");
      when.append(element("a", clock(d.at), { href: "#" + id(r, d), title: "address of this decision" }));
      row.append(when);
      if (chosen.length > 1) row.append(element("td", r.policy));
      row.append(element("td", sentence(d), { class: d.direction }), element("td", d.reason),
        element("td", (d.rails || []).map((x) => `${x.code} ${x.before} → ${x.after}`).join("; ")));
      const cell = element("td");
      if (d.text) {
        const details = element("details");
        details.append(element("summary", "why"), element("pre", d.text));
        cell.append(details);
      } else cell.textContent = d.entry || "";
      row.append(cell);
      body.append(row);
    }
    table.append(body);
  }
  function pick(r, d) {
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
      const place = () => listed().findIndex((x) => x.d === d);
      if (place() < 0) {
        $("kinds").value = "";
        if (place() < 0) whole();
      }
      from = place();
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
  if ((page.policies || []).length) {
    const table = $("policies");
    row(table, ["Policy", "Kind", "What it does"], "th");
    for (const p of page.policies) {
      const about = element("td", p.about || "");
      for (const n of p.notes || []) about.append(element("span", n, { class: "note" }));
      row(table, [p.name, p.kind, about]);
    }
  } else $("s-policies").hidden = true;
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
  // Paper is white, as wide as a page, and has no choice of traces.
  addEventListener("beforeprint", () => { wear("light"); verdictTable(true); draw.fit(); });
  addEventListener("afterprint", () => { wear(theme); verdictTable(); });
  let later;
  addEventListener("resize", () => { cancelAnimationFrame(later); later = requestAnimationFrame(draw.fit); });
  addEventListener("hashchange", reveal);

  document.documentElement.dataset.theme = theme;
  fill($("verdict-trace"), unique(verdicts.map((v) => v.trace)));
  $("verdict-trace").parentElement.hidden = $("verdict-trace").options.length < 2;
  $("every").parentElement.hidden = !measures.some((m) => m.main) || measures.every((m) => m.main);
  $("verdict-trace").onchange = $("every").onchange = () => verdictTable();
  comparisonTable();
  verdictTable();
  fill($("trace"), unique(runs.map((r) => r.trace)));
  offer();
  for (const s of ["first", "second"]) $(s).onchange = choose;
  $("trace").onchange = () => { offer(); choose(); };
  const whole = () => { if (chosen.length) draw.whole(chosen[0].at[0], chosen[0].at[chosen[0].at.length - 1]); };
  // move changes the time shown: by parts of it to either side, and to a multiple of it.
  function move(side, times) {
    if (!chosen.length) return;
    const first = chosen[0].at[0], last = chosen[0].at[chosen[0].at.length - 1];
    const [lo, hi] = draw.range() || [first, last], span = Math.min(last - first, (hi - lo) * times);
    const left = Math.max(first, Math.min((lo + hi) / 2 + side * (hi - lo) - span / 2, last - span));
    if (span > 60) draw.whole(left, left + span);
  }
  const moves = { in: [0, 0.5], out: [0, 2], back: [-0.5, 1], on: [0.5, 1] };
  for (const [button, by] of Object.entries(moves)) $(button).onclick = () => move(...by);
  $("whole").onclick = whole;
  $("charts").addEventListener("keydown", (e) => {
    const by = { "+": moves.in, "=": moves.in, "-": moves.out, ArrowLeft: moves.back, ArrowRight: moves.on }[e.key];
    if (e.ctrlKey || e.metaKey || e.altKey || (!by && e.key !== "0")) return;
    e.preventDefault();
    if (by) move(...by); else whole();
  });
  $("kinds").onchange = decisions;
  let soon;
  draw.moved = () => { clearTimeout(soon); soon = setTimeout(decisions, 120); };
  for (const form of document.forms) form.addEventListener("submit", (e) => e.preventDefault());
  choose();
  reveal();
  document.documentElement.dataset.drawn = String(runs.length);
})();
