/* Review: rectangles to blank, drawn over a picture, and decisions by keys. Without it the form's fields do the same. */
"use strict";
(function () {
  var SVG = "http://www.w3.org/2000/svg";

  /* The text field has the rectangles, as left,top,width,height; the drawing shows them. */
  function masks(field) {
    var form = field.form, figure = document.querySelector("figure[data-viewer]");
    var image = figure && figure.querySelector("img");
    if (!image) return;
    var stage = image.parentNode, columns = Number(image.getAttribute("width")), rows = Number(image.getAttribute("height"));
    var svg = document.createElementNS(SVG, "svg"), toggle = form.querySelector("[data-draw]"), boxes = [], from = null;
    svg.setAttribute("viewBox", "0 0 " + columns + " " + rows);
    svg.setAttribute("class", "masks");
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", "What is blanked");
    stage.appendChild(svg);
    function place() {
      ["left", "top", "width", "height"].forEach(function (name) {
        var length = image["offset" + name[0].toUpperCase() + name.slice(1)];
        svg.style[name] = length + "px";
      });
    }
    new ResizeObserver(place).observe(image);
    place();
    function read() {
      boxes = field.value.split(";").map(function (text) { return text.split(",").map(Number); })
        .filter(function (box) { return box.length === 4 && box.every(isFinite) && box[2] > 0 && box[3] > 0; });
      show();
    }
    function write() {
      field.value = boxes.map(function (box) { return box.join(","); }).join("; ");
      show();
    }
    function show() {
      var focused = Array.prototype.indexOf.call(svg.children, document.activeElement);
      while (svg.children.length > boxes.length) svg.lastChild.remove();
      boxes.forEach(function (box, index) {
        var rect = svg.children[index] || svg.appendChild(document.createElementNS(SVG, "rect"));
        ["x", "y", "width", "height"].forEach(function (name, at) { rect.setAttribute(name, box[at]); });
        rect.setAttribute("tabindex", "0");
        rect.setAttribute("role", "button");
        rect.setAttribute("aria-label", "Mask " + (index + 1) + " at " + box.join(", ") + ": arrows move it, with Shift they size it, Delete removes it");
      });
      if (focused >= 0 && svg.children.length) svg.children[Math.min(focused, svg.children.length - 1)].focus();
    }
    function within(box) {
      box[2] = Math.max(1, Math.min(box[2], columns));
      box[3] = Math.max(1, Math.min(box[3], rows));
      box[0] = Math.max(0, Math.min(box[0], columns - box[2]));
      box[1] = Math.max(0, Math.min(box[1], rows - box[3]));
    }
    function point(event) {
      var at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return [Math.round(at.x), Math.round(at.y)];
    }
    function draws(is) {
      svg.classList.toggle("draws", is);
      toggle.setAttribute("aria-pressed", String(is));
    }
    toggle.addEventListener("click", function () { draws(toggle.getAttribute("aria-pressed") !== "true"); });
    form.querySelector("[data-add]").addEventListener("click", function () {
      boxes.push([Math.round(columns * 3 / 8), Math.round(rows * 3 / 8), Math.ceil(columns / 4), Math.ceil(rows / 4)]);
      write();
      svg.lastChild.focus();
    });
    svg.addEventListener("pointerdown", function (event) {
      var at = point(event), index = Array.prototype.indexOf.call(svg.children, event.target);
      if (index < 0) index = boxes.push([at[0], at[1], 1, 1]) - 1;
      from = { at: at, index: index, box: boxes[index].slice(), isNew: index === boxes.length - 1 && event.target === svg };
      svg.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    svg.addEventListener("pointermove", function (event) {
      if (!from) return;
      var at = point(event), box = boxes[from.index];
      if (from.isNew) {
        box[0] = Math.max(0, Math.min(from.at[0], at[0])); box[2] = Math.abs(at[0] - from.at[0]);
        box[1] = Math.max(0, Math.min(from.at[1], at[1])); box[3] = Math.abs(at[1] - from.at[1]);
      } else { box[0] = from.box[0] + at[0] - from.at[0]; box[1] = from.box[1] + at[1] - from.at[1]; }
      within(box);
      show();
    });
    svg.addEventListener("pointerup", function () {
      if (!from) return;
      if (from.isNew && boxes[from.index][2] * boxes[from.index][3] < 4) boxes.splice(from.index, 1);
      var index = from.index;
      from = null;
      write();
      if (svg.children[index]) svg.children[index].focus();
    });
    svg.addEventListener("keydown", function (event) {
      var index = Array.prototype.indexOf.call(svg.children, event.target), box = boxes[index];
      if (!box) return;
      var way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, -1], ArrowDown: [1, 1] }[event.key];
      if (event.key === "Delete" || event.key === "Backspace") boxes.splice(index, 1);
      else if (way) box[way[0] + (event.shiftKey ? 2 : 0)] += way[1] * (event.ctrlKey ? 10 : 1);
      else return;
      event.preventDefault();
      event.stopPropagation();
      if (box) within(box);
      write();
    });
    field.addEventListener("input", read);
    read();
    draws(true);
  }

  /* The contact sheet: a decision is sent while the next image is looked at. */
  function sheet(form) {
    var said = document.getElementById("said"), sent = 0;
    function all() { return Array.prototype.slice.call(form.querySelectorAll("[data-image]")); }
    function here() { return document.activeElement && document.activeElement.closest("[data-image]"); }
    function open() { return all().filter(function (one) { return !one.dataset.decided; }); }
    function go(step) {
      var known = all(), at = known.indexOf(here());
      for (var index = at + step; index >= 0 && index < known.length; index += step)
        if (!known[index].dataset.decided) { known[index].querySelector("a").focus(); return; }
    }
    function decide(word, images, series) {
      var reason = form.elements.reason;
      if (!reason.value.trim()) { said.textContent = "Give a reason first."; reason.focus(); return; }
      var data = new FormData();
      ["csrfmiddlewaretoken", "reason"].forEach(function (name) { data.append(name, form.elements[name].value); });
      data.append("do", word);
      images.forEach(function (one) { data.append(series ? "series" : "images", one.dataset.image); });
      var shown = series ? open().filter(function (one) { return one.dataset.series === images[0].dataset.series; }) : images;
      shown.forEach(function (one) { one.dataset.decided = word; });
      go(1);
      if (!here() || here().dataset.decided) { var rest = open()[0]; if (rest) rest.querySelector("a").focus(); }
      sent += 1;
      fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" }, credentials: "same-origin" })
        .then(function (answer) { if (!answer.ok) throw new Error(answer.status); return answer.json(); })
        .then(function (answer) {
          said.textContent = answer.said.join(" ");
          shown.forEach(function (one) { if (answer.left.indexOf(one.dataset.image) >= 0) delete one.dataset.decided; });
        })
        .catch(function () {
          said.textContent = "The decision did not arrive. Load the page again.";
          shown.forEach(function (one) { delete one.dataset.decided; });
        })
        .finally(function () { sent -= 1; if (!sent && !open().length) location.reload(); });
    }
    document.addEventListener("keydown", function (event) {
      if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select, textarea")) return;
      var one = here(), key = event.key;
      if (key === "n" || key === "ArrowRight") { event.preventDefault(); go(1); }
      else if (key === "p" || key === "ArrowLeft") { event.preventDefault(); go(-1); }
      else if (one && key === "r") decide("release", [one], false);
      else if (one && key === "x") decide("reject", [one], false);
      else if (one && key === "R") decide("release", [one], true);
      else if (one && key === "X") decide("reject", [one], true);
    });
    var first = open()[0];
    if (first && form.elements.reason.value) first.querySelector("a").focus();
  }

  document.addEventListener("DOMContentLoaded", function () {
    document.querySelectorAll("[data-masks]").forEach(masks);
    document.querySelectorAll("[data-sheet]").forEach(sheet);
  });
})();
