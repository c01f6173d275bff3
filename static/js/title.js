// The tab says how the fleet is: its sentence in the title, its tone in the icon.
import { onChange } from "./changes.js";

const icon = document.getElementById("favicon");

function follow() {
  const fleet = document.getElementById("fleet");
  const title = `${fleet.querySelector(".sentence").textContent.trim()} · fleetweb`;
  if (document.title !== title) document.title = title;
  if (icon.getAttribute("href") !== fleet.dataset.favicon) icon.setAttribute("href", fleet.dataset.favicon);
}

onChange(follow, ["data-favicon"]);
