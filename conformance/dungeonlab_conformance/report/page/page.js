"use strict";
// Filters, deep links, the theme, and buttons that copy commands. Without it the page is whole, only longer.
(() => {
  const form = document.getElementById("filters");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const theme = document.getElementById("theme");
  const requirements = [...document.querySelectorAll(".requirement")];
  const texts = new Map();
  const text = (element) => {
    if (!texts.has(element)) texts.set(element, element.textContent.toLowerCase());
    return texts.get(element);
  };

  const chosen = () => {
    const data = new FormData(form);
    return {
      q: data.get("q").trim().toLowerCase(),
      area: data.get("area"),
      outcome: data.getAll("outcome"),
      level: data.getAll("level"),
    };
  };

  const filter = () => {
    const want = chosen();
    let seen = 0;
    for (const requirement of requirements) {
      const here =
        (!want.area || requirement.dataset.area === want.area) &&
        (!want.level.length || want.level.includes(requirement.dataset.level)) &&
        want.q.split(/\s+/).every((word) => text(requirement).includes(word));
      let verdicts = 0;
      for (const verdict of requirement.querySelectorAll(".verdict")) {
        verdict.hidden = want.outcome.length > 0 && !want.outcome.includes(verdict.dataset.outcome);
        verdicts += verdict.hidden ? 0 : 1;
      }
      requirement.hidden = !(here && verdicts);
      seen += requirement.hidden ? 0 : 1;
    }
    for (const area of document.querySelectorAll(".area")) {
      area.hidden = !area.querySelector(".requirement:not([hidden])");
    }
    shown.textContent = `${seen} of ${requirements.length} requirements shown`;
    nothing.hidden = seen > 0;
  };

  const remember = () => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(chosen())) {
      if (value.length) query.set(name, [].concat(value).join(","));
    }
    const search = query.toString();
    try {
      history.replaceState(null, "", (search ? `?${search}` : location.pathname) + location.hash);
    } catch {
      // some browsers forbid it for files; the filter works all the same
    }
  };

  const recall = () => {
    const query = new URLSearchParams(location.search);
    form.elements.q.value = query.get("q") ?? "";
    form.elements.area.value = query.get("area") ?? "";
    for (const box of form.querySelectorAll("input[type=checkbox]")) {
      box.checked = (query.get(box.name) ?? "").split(",").includes(box.value);
    }
  };

  const clear = () => {
    form.elements.q.value = "";
    form.elements.area.value = "";
    for (const box of form.querySelectorAll("input[type=checkbox]")) box.checked = false;
    filter();
    remember();
  };

  const aim = (name) => {
    const target = document.getElementById(name);
    if (!target) return;
    if (target.closest("[hidden]")) clear();
    for (let at = target; at; at = at.parentElement) {
      if (at.tagName === "DETAILS") at.open = true;
    }
    const inner = target.matches(".verdict") && target.querySelector("details");
    if (inner) inner.open = true;
    target.scrollIntoView({ block: "start" });
    (target.querySelector("summary") ?? target).focus({ preventScroll: true });
    if (target.matches(".requirement, .verdict")) {
      target.classList.remove("aimed");
      void target.offsetWidth;
      target.classList.add("aimed");
    }
  };
  const follow = () => {
    let name = location.hash.slice(1);
    try {
      name = decodeURIComponent(name);
    } catch {
      // a stray percent sign: take it as it stands
    }
    if (name) aim(name);
  };

  const dark = () =>
    (document.documentElement.dataset.theme ??
      (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const paint = () => {
    theme.textContent = dark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", `Switch to ${dark() ? "light" : "dark"} colours`);
  };
  theme.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("theme", document.documentElement.dataset.theme);
    } catch {
      // no storage for files here; the choice lasts as long as the page
    }
    paint();
  });
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch {
    // as above
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(text); // no clipboard for files here: it is selected, and the keyboard copies it
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  for (const text of document.querySelectorAll(".again code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy the command");
    button.addEventListener("click", () => copy(text, button));
    text.after(button);
  }

  form.addEventListener("input", () => { filter(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => { event.preventDefault(); clear(); });
  document.getElementById("again").addEventListener("click", clear);
  document.getElementById("open").addEventListener("click", () => {
    for (const one of requirements) if (!one.hidden) one.open = true;
  });
  document.getElementById("close").addEventListener("click", () => {
    for (const one of requirements) one.open = false;
  });
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-to]");
    if (cell) location.hash = cell.dataset.to;
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) follow();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    form.elements.q.focus();
  });
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".fail, .warn, .fail > details, .warn > details")].filter(
      (one) => one.tagName === "DETAILS" && !one.open,
    );
    for (const one of opened) one.open = true;
  });
  addEventListener("afterprint", () => { for (const one of opened) one.open = false; });
  addEventListener("hashchange", follow);

  form.hidden = theme.hidden = false;
  paint();
  recall();
  filter();
  addEventListener("load", () => setTimeout(follow)); // after the browser's own way to the fragment, which takes the focus
})();
