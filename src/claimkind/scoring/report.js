"use strict";
const form = document.getElementById("filter");
const passages = [...document.querySelectorAll("section .s, section .other")].filter((passage) => !passage.closest(".shares"));
const texts = passages.map((passage) =>
  [...passage.childNodes].filter((node) => node.className !== "tag").map((node) => node.textContent).join("").toLowerCase());

function update() {
  const labels = new Set([...form.querySelectorAll("input:checked")].map((box) => box.value));
  const from = Number(document.getElementById("from").value);
  const words = document.getElementById("search").value.trim().toLowerCase();
  const isFiltered = words !== "" || from > 0 || form.querySelector("input[type=checkbox]:not(:checked)") !== null;
  let matching = 0;
  passages.forEach((passage, index) => {
    const { label, confidence } = passage.dataset;
    const matches = label !== undefined && labels.has(label) && Number(confidence) >= from && texts[index].includes(words);
    passage.classList.toggle("off", isFiltered && !matches);
    passage.classList.toggle("on", matches);
    matching += matches ? 1 : 0;
  });
  // Paragraphs and documents without a match are hidden; in the others, the match keeps its context.
  for (const block of document.querySelectorAll("section, section p")) {
    block.classList.toggle("none", isFiltered && block.querySelector(".on") === null);
  }
  document.getElementById("percent").value = from;
  document.getElementById("matching").value = isFiltered ? `${matching.toLocaleString("en")} found` : "";
}

form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
update();
