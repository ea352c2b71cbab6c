// Looks at a report page in headless Chromium, or compares two screenshots. Tells what it found as JSON; judging is the test's.
//
//   node drive.mjs look PAGE.html CHROMIUM FOLDER    screenshots go to FOLDER
//   node drive.mjs picture PAGE.html CHROMIUM TO.png a window on its memory map, for a page of docs/
//   node drive.mjs compare GOLDEN.png FOUND.png DIFFERENCE.png

import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pixelmatch from "pixelmatch";
import { PNG } from "pngjs";
import puppeteer from "puppeteer-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
// The same on every machine: the fonts of one Debian package.
const FONTS = ':root { --sans: "DejaVu Sans"; --mono: "DejaVu Sans Mono"; }';
const FLAGS = [
  "--disable-gpu", "--disable-lcd-text", "--font-render-hinting=none", "--force-color-profile=srgb", "--hide-scrollbars",
  // Chromium refuses its sandbox to root.
  ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
];
const MEDIA = ["print", "(prefers-color-scheme: dark)"];
// Print is looked at with dark preferred: paper is light.
const VIEWS = {
  light: { width: 1000, height: 900, scheme: "light", media: "screen" },
  dark: { width: 1000, height: 900, scheme: "dark", media: "screen" },
  phone: { width: 360, height: 740, scheme: "light", media: "screen" },
  print: { width: 688, height: 970, scheme: "dark", media: "print" },
};

async function look(path, chromium, folder) {
  const browser = await puppeteer.launch({ executablePath: chromium, args: FLAGS });
  try {
    const page = await browser.newPage();
    const devtools = await page.createCDPSession();
    const url = pathToFileURL(path).href;
    const found = { console: [], requests: [], views: {} };
    page.on("console", (message) => found.console.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => found.console.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (request.url().split("#")[0] !== url) found.requests.push(request.url());
    });
    for (const [name, view] of Object.entries(VIEWS)) {
      await page.setViewport({ width: view.width, height: view.height });
      // Both at once: puppeteer's own functions for the one forget the other.
      const features = [{ name: "prefers-color-scheme", value: view.scheme }];
      await devtools.send("Emulation.setEmulatedMedia", { media: view.media, features });
      await page.goto(url);
      await page.addStyleTag({ content: FONTS });
      await page.evaluate(() => document.fonts.ready);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      const media = await page.evaluate((seen) => seen.filter((query) => matchMedia(query).matches), MEDIA);
      const shot = PNG.sync.read(Buffer.from(await page.screenshot({ fullPage: true })));
      writeFileSync(join(folder, `${name}.png`), PNG.sync.write(shot, { colorType: 2, deflateLevel: 9, deflateStrategy: 0, filterType: 0 }));
      await page.evaluate(AXE);
      const axe = await page.evaluate(() => globalThis.axe.run(document, { preload: false }));
      const violations = axe.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join("; ")}`);
      found.views[name] = { width, media, violations, checked: axe.passes.length };
    }
    await page.setViewport(VIEWS.light);
    await devtools.send("Emulation.setEmulatedMedia", { media: "screen", features: [] });
    await page.goto(url);
    found.links = await links(page);
    return found;
  } finally {
    await browser.close();
  }
}

async function picture(path, chromium, to) {
  const browser = await puppeteer.launch({ executablePath: chromium, args: FLAGS });
  try {
    const page = await browser.newPage();
    await page.setViewport({ width: 1000, height: 640 });
    await page.goto(pathToFileURL(path).href);
    await page.addStyleTag({ content: FONTS });
    await page.evaluate(() => document.fonts.ready);
    await page.evaluate(() => document.getElementById("memory").scrollIntoView());
    await page.screenshot({ path: to });
    return {};
  } finally {
    await browser.close();
  }
}

// Follows every link. One that leads nowhere, or out of the page, says so.
async function links(page) {
  const found = [];
  for (const link of await page.$$("a[href]")) {
    const href = await link.evaluate((a) => a.getAttribute("href"));
    if (!href.startsWith("#")) {
      found.push({ href, shown: false });
      continue;
    }
    await page.evaluate(() => scrollTo(0, 0));
    await link.evaluate((a) => a.click());
    const shown = await page.evaluate((id) => {
      const box = document.getElementById(id)?.getBoundingClientRect();
      return location.hash === `#${id}` && box !== undefined && box.top >= 0 && box.top < innerHeight;
    }, href.slice(1));
    found.push({ href, shown });
  }
  return found;
}

function compare(golden, found, difference) {
  const [a, b] = [golden, found].map((path) => PNG.sync.read(readFileSync(path)));
  const sizes = [a, b].map(({ width, height }) => `${width} x ${height}`);
  if (sizes[0] !== sizes[1]) return { sizes, differing: a.width * a.height, of: a.width * a.height };
  const out = new PNG({ width: a.width, height: a.height });
  const differing = pixelmatch(a.data, b.data, out.data, a.width, a.height, { threshold: 0.1 });
  writeFileSync(difference, PNG.sync.write(out));
  return { sizes, differing, of: a.width * a.height };
}

const [what, ...paths] = process.argv.slice(2);
const told = await { look, picture, compare }[what](...paths);
process.stdout.write(`${JSON.stringify(told, null, 1)}\n`);
