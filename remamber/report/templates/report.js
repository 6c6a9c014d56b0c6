"use strict";
(() => {
  const root = document.documentElement;
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const templates = read("templates");
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const plots = [...document.querySelectorAll(".plot")];

  // Storage is refused to pages from file:// in some browsers; the switch works without it.
  const stored = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("remamber-theme", value);
      return localStorage.getItem("remamber-theme");
    } catch { return null; }
  };
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const template = (dark) => templates[dark ? "dark" : "light"];

  const show = (dark) => {
    button.setAttribute("aria-pressed", String(dark));
    button.textContent = dark ? "Light" : "Dark";
    for (const plot of plots) if (plot.data) Plotly.relayout(plot, { template: template(dark) });
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    stored(root.dataset.theme);
    show(isDark());
  });
  system.addEventListener("change", () => show(isDark()));

  // A figure of several panels may say how they stand below each other on a telephone.
  const NARROW = 640;
  const draw = (plot) => {
    const { data, layout, config } = read(plot.dataset.figure);
    const narrow = plot.clientWidth < NARROW ? layout.meta?.narrow ?? {} : {};
    plot.style.minHeight = "0"; // it kept the place of the wide figure
    Plotly.newPlot(plot, data, { ...layout, ...narrow, template: template(isDark()) }, config);
  };
  const lazily = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((e) => e.isIntersecting)) {
      lazily.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "600px" });

  const wasDark = stored();
  if (wasDark) root.dataset.theme = wasDark;
  show(isDark());
  if (window.Plotly) plots.forEach((plot) => lazily.observe(plot));
  else plots.forEach((plot) => { plot.style.minHeight = "0"; });

  // Columns cannot go over to another sheet: a table too wide for one is printed smaller.
  const SHEET = 690;
  const PRINTED = 0.73;
  for (const table of document.querySelectorAll("table")) {
    const width = PRINTED * table.offsetWidth;
    if (width > SHEET) table.style.setProperty("--fit", String(SHEET / width));
  }
  window.addEventListener("beforeprint", () => {
    for (const plot of plots) {
      if (!plot.data) draw(plot);
      Plotly.relayout(plot, { template: template(false) });
    }
  });
  window.addEventListener("afterprint", () => show(isDark()));

  const value = (row, column) => {
    const text = row.cells[column].dataset.v;
    return text === "" ? NaN : Number(text);
  };
  const sort = (header) => {
    const table = header.closest("table");
    const column = header.cellIndex;
    const first = column === 0 ? "ascending" : "descending";
    const other = column === 0 ? "descending" : "ascending";
    const next = header.getAttribute("aria-sort") === first ? other : first;
    for (const h of table.querySelectorAll("[aria-sort]")) h.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", next);
    const sign = next === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const order = (a, b) => {
      const [x, y] = [value(a, column), value(b, column)];
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      return sign * (x - y);
    };
    body.append(...[...body.rows].sort(order));
  };
  for (const header of document.querySelectorAll("[aria-sort]")) {
    header.querySelector("button").addEventListener("click", () => sort(header));
  }

  const copy = document.getElementById("copy");
  copy.addEventListener("click", async () => {
    const lines = [...document.querySelectorAll("#provenance h3, #provenance dl div")]
      .map((e) => (e.tagName === "H3" ? `\n${e.textContent}` : [...e.children].map((c) => c.textContent).join(": ")));
    try {
      await navigator.clipboard.writeText(lines.join("\n").trim());
      copy.textContent = "Copied";
    } catch { copy.textContent = "Copying is not allowed here"; }
  });
})();
