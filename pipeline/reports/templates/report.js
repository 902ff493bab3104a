"use strict";
const root = document.documentElement, button = document.getElementById("theme"), box = document.getElementById("tip");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.style.colorScheme || (prefersDark.matches ? "dark" : "light")) === "dark";
const name = () => { button.textContent = isDark() ? "Light" : "Dark"; button.ariaLabel = `Switch to the ${button.textContent} colours`; };
button.hidden = false;
button.addEventListener("click", () => { root.style.colorScheme = isDark() ? "light" : "dark"; name(); });
prefersDark.addEventListener("change", name);
name();

// The native titles become a light tooltip: several lines, at once, and on touch.
for (const title of document.querySelectorAll("svg title")) {
  title.parentNode.dataset.tip = title.textContent;
  title.remove();
}
const place = (event) => {
  const width = box.offsetWidth, height = box.offsetHeight;
  const left = Math.min(Math.max(event.clientX + 14, 8), root.clientWidth - width - 8);
  const above = event.clientY - height - 14;
  box.style.left = `${Math.max(left, 8)}px`;
  box.style.top = `${above > 8 ? above : event.clientY + 18}px`;
};
document.addEventListener("pointerover", (event) => {
  const owner = event.target.closest("[data-tip]");
  box.hidden = !owner;
  if (owner) { box.textContent = owner.dataset.tip; place(event); }
});
document.addEventListener("pointermove", (event) => { if (!box.hidden) place(event); });
// A search field shows what holds its words, and no other row or card.
for (const field of document.querySelectorAll("input[data-filters]")) {
  field.hidden = false;
  field.addEventListener("input", () => {
    const wanted = field.value.toLowerCase();
    for (const folded of field.closest("section").querySelectorAll("details")) folded.open = wanted !== "";
    for (const one of document.querySelectorAll(field.dataset.filters)) one.hidden = !one.textContent.toLowerCase().includes(wanted);
  });
}
document.addEventListener("keydown", (event) => { if (event.key === "Escape") box.hidden = true; });
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
