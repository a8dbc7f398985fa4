/* What the pages do in the browser besides htmx: a poll says that it is one, and what it has already. */
"use strict";
document.addEventListener("htmx:configRequest", function (event) {
  var element = event.detail.elt;
  if (element.hasAttribute("data-poll")) {
    if (document.hidden) event.preventDefault();
    event.detail.headers["X-Sendit-Poll"] = "1";
    if (element.dataset.poll) event.detail.headers["If-None-Match"] = element.dataset.poll;
  }
  var token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (token) event.detail.headers["X-CSRFToken"] = token.value;
});
/* A table that a person is in the middle of using is not replaced under the hands. */
document.addEventListener("htmx:beforeSwap", function (event) {
  var target = event.detail.target;
  if (event.detail.elt.hasAttribute("data-poll") && target.contains(document.activeElement)
      && document.activeElement.matches("input, select, textarea, button, a, summary")) event.detail.shouldSwap = false;
});
document.addEventListener("submit", function (event) {
  var question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

/* The viewer: window and level by dragging, presets, frames, zoom. Pictures are made by the server. */
function viewer(figure) {
  var image = figure.querySelector("img"), stage = figure.querySelector(".stage");
  var state = { frame: 1, center: Number(figure.dataset.center), width: Number(figure.dataset.width) };
  var field = function (name) { return figure.querySelector("[data-" + name + "]:not(figure)"); };
  var isColor = "color" in figure.dataset, waiting = false, again = false;
  function show() {
    if (waiting) { again = true; return; }
    waiting = true;
    var query = "?frame=" + state.frame;
    if (!isColor) query += "&center=" + state.center + "&width=" + state.width;
    image.src = figure.dataset.viewer + query;
  }
  function settled() { waiting = false; if (again) { again = false; show(); } }
  image.addEventListener("load", settled);
  image.addEventListener("error", settled);
  function setWindow(center, width) {
    state.center = Math.round(center * 100) / 100;
    state.width = Math.max(1, Math.round(width * 100) / 100);
    if (field("center")) { field("center").value = state.center; field("width").value = state.width; }
    show();
  }
  function setFrame(number) {
    state.frame = Math.min(Math.max(1, number), Number(figure.dataset.frames));
    if (field("frame")) { field("frame").value = state.frame; figure.querySelector("[data-frame-shown]").textContent = state.frame; }
    show();
  }
  var from = null;
  stage.addEventListener("pointerdown", function (event) {
    if (isColor || event.target !== image) return;
    from = { x: event.clientX, y: event.clientY, center: state.center, width: state.width };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", function (event) {
    if (!from) return;
    var unit = Number(figure.dataset.span) / 512;
    setWindow(from.center + (event.clientY - from.y) * unit, from.width + (event.clientX - from.x) * unit);
  });
  stage.addEventListener("pointerup", function () { from = null; });
  stage.addEventListener("keydown", function (event) {
    var step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
    if (!step || figure.dataset.frames === "1") return;
    event.preventDefault();
    setFrame(state.frame + step);
  });
  figure.addEventListener("input", function (event) {
    var data = event.target.dataset;
    if ("presets" in data) { var pair = event.target.value.split(","); setWindow(Number(pair[0]), Number(pair[1])); }
    else if ("frame" in data) setFrame(Number(event.target.value));
    else if ("zoom" in data) {
      var zoom = event.target.value;
      image.classList.toggle("fit", zoom === "fit");
      image.style.width = zoom === "fit" ? "" : image.getAttribute("width") * zoom + "px";
    } else if (field("center")) setWindow(Number(field("center").value), Number(field("width").value));
  });
  image.classList.add("fit");
}
document.addEventListener("DOMContentLoaded", function () { document.querySelectorAll("[data-viewer]").forEach(viewer); });
document.addEventListener("change", function (event) {
  if (!("onlyChanges" in event.target.dataset)) return;
  event.target.closest("section").querySelector("table").classList.toggle("only-changes", event.target.checked);
});
