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
