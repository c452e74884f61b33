// Looks at the report in a real browser, offline: every part is drawn, nothing is fetched, nothing goes wrong, and the
// charts answer to pointer, zoom, theme and print. `node tests/page/look.mjs PAGE [FOLDER]` leaves screenshots in FOLDER.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [file, folder] = process.argv.slice(2);
const browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", process.env.CHROMIUM].find((p) => p && existsSync(p));
if (!browser) {
  console.error("look: no Chromium at hand; install Debian's chromium or name it in CHROMIUM");
  process.exit(1);
}
const engine = await chromium.launch({ executablePath: browser, headless: true, args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
let shots = 0;
try {
  for (const theme of ["light", "dark"]) await look(theme);
  console.log(`look: themes=2 screenshots=${shots} ok`);
} finally {
  await engine.close();
}

async function look(theme) {
  const context = await engine.newContext({ viewport: { width: 1366, height: 900 }, colorScheme: theme, offline: true });
  const page = await context.newPage();
  const trouble = [], fetched = [];
  page.on("pageerror", (e) => trouble.push(String(e)));
  page.on("console", (m) => m.type() === "error" && trouble.push(m.text()));
  page.on("request", (r) => r.url().startsWith("file:") || fetched.push(r.url()));
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.waitForSelector("html[data-drawn]");
  const shot = async (name) => {
    if (!folder) return;
    await page.screenshot({ path: join(folder, `${name}-${theme}.png`) });
    await page.locator("#charts").screenshot({ path: join(folder, `${name}-charts-${theme}.png`) });
    shots += 2;
  };

  assert.ok((await page.locator("#verdict tbody tr").count()) >= 2, "the verdict table has a row for each policy");
  const charts = await page.locator(".chart canvas").count();
  assert.ok(charts >= 3, `charts are drawn: ${charts}`);
  assert.ok(await inked(page), "the first chart has ink of several colours");
  assert.ok((await page.locator("#decisions tbody tr").count()) > 0, "decisions are listed");
  await shot("one");

  assert.ok(await page.locator("#cases summary").isVisible(), "what explains the verdicts is below them");
  await page.click("#cases summary");
  assert.match(await page.locator("#cases li").first().innerText(), /flash crowd/, "a case is told");
  await page.click("#cases summary");
  assert.ok(!(await page.locator("#comparison").innerText()).match(/[−+]0(\.0+)? /), "nought has no sign");

  // Two policies side by side, and their difference.
  const policies = await page.locator("#second option").count();
  if (policies > 2) {
    await page.selectOption("#second", { index: policies - 1 });
    assert.ok((await page.locator(".chart").count()) > charts, "two policies have more charts than one");
    await shot("two");
    await page.selectOption("#second", "");
  }

  // A decision tells its reason under the pointer, and opens its explanation when it is clicked.
  await hover(page);
  assert.match(await page.locator("#tip").innerText(), /UTC · /, "a mark tells its instant and reason");
  await page.mouse.down();
  await page.mouse.up();
  await page.waitForSelector("tr.marked");
  assert.match(page.url(), /#d-\d+-\d+$/, "a decision has an address");

  // What happened to the fleet tells itself too.
  await page.locator(".chart", { hasText: "Rails that fired" }).first().scrollIntoViewIfNeeded();
  await over(page, ".chart:has(h3:text('Rails that fired')) .u-over", /evicted|quota|step/);

  // Every measure, on one trace.
  const columns = await page.locator("#verdict thead th").count();
  await page.check("#every");
  assert.ok((await page.locator("#verdict thead th").count()) > columns, "every measure is more than the main ones");
  await page.selectOption("#verdict-trace", { index: 0 });
  assert.ok((await page.locator("#comparison tbody tr").count()) > 0, "the candidate is compared");

  // A drag zooms every chart, and the button takes it back.
  await page.evaluate(() => scrollTo(0, 0));
  const field = page.locator(".u-over").first();
  await field.scrollIntoViewIfNeeded();
  const box = await field.boundingBox();
  await page.mouse.move(box.x + box.width * 0.3, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await page.mouse.move(2, 2);
  const zoom = await page.evaluate(() => draw.range());
  const whole = await page.evaluate(() => { const r = JSON.parse(document.getElementById("data").textContent).runs[0].at; return r.at(-1) - r[0]; });
  assert.ok(zoom && Math.abs((zoom[1] - zoom[0]) / whole - 0.2) < 0.05, `a drag over a fifth shows a fifth of the time: ${zoom} of ${whole}`);
  await shot("zoomed");
  // Decisions are those of the time shown.
  await page.waitForTimeout(200);
  const times = await page.locator("#decisions tbody tr td:first-child").allInnerTexts();
  assert.ok(times.length > 0 && times.every((t) => { const s = Date.parse(t.replace(" ", "T") + "Z") / 1e3; return s >= zoom[0] && s <= zoom[1]; }), "only decisions of the time shown are listed");
  await page.selectOption("#kinds", "rails");
  await page.selectOption("#kinds", "");

  // The same without a pointer.
  await page.focus("#charts");
  await page.keyboard.press("+");
  const closer = await page.evaluate(() => draw.range());
  assert.ok(Math.abs((closer[1] - closer[0]) / (zoom[1] - zoom[0]) - 0.5) < 0.05, "plus zooms in");
  await page.keyboard.press("ArrowRight");
  const later = await page.evaluate(() => draw.range());
  assert.ok(later[0] > closer[0], "an arrow moves");
  for (const button of ["#out", "#back", "#on", "#in"]) await page.click(button);
  await page.click("#whole");
  const back = await page.evaluate(() => draw.range());
  assert.equal(back[1] - back[0], whole, "the button shows the whole time again");

  // The other theme, on paper, and in a narrow window.
  await page.click("#theme");
  assert.notEqual(await page.getAttribute("html", "data-theme"), theme, "the button changes the theme");
  const pdf = await page.pdf({ format: "A4", printBackground: true, ...(folder ? { path: join(folder, `print-${theme}.pdf`) } : {}) });
  assert.ok(pdf.length > 20_000, "it prints");
  await page.setViewportSize({ width: 700, height: 900 });
  await page.waitForTimeout(100);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 700, `nothing stands out of a narrow window: ${wide} px`);

  assert.deepEqual(trouble, [], "no error in the page");
  assert.deepEqual(fetched, [], "nothing was fetched");
  await context.close();
}

// inked says whether the first chart holds more than its ground and axes.
function inked(page) {
  return page.evaluate(() => {
    const c = document.querySelector(".chart canvas");
    const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
    const colours = new Set();
    for (let i = 0; i < d.length; i += 4) if (d[i + 3] > 200) colours.add((d[i] >> 5 << 10) | (d[i + 1] >> 5 << 5) | (d[i + 2] >> 5));
    return colours.size > 4;
  });
}

// hover moves the pointer along the first chart until a mark answers.
function hover(page) {
  return over(page, ".u-over", /./);
}

// over moves the pointer along a chart until a mark answers in such words.
async function over(page, selector, says) {
  const field = page.locator(selector).first();
  await field.scrollIntoViewIfNeeded();
  const box = await field.boundingBox();
  for (let x = 4; x < box.width; x += 8) {
    for (let y = 6; y < box.height; y += 9) {
      await page.mouse.move(box.x + x, box.y + y);
      if ((await page.locator("#tip").isVisible()) && says.test(await page.locator("#tip").innerText())) return;
    }
  }
  assert.fail("no mark answers to the pointer");
}
