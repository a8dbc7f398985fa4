"""Recipes: what a recipe does to each attribute and why, as a page to print and sign."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from sendit.deid.recipe.explanation import explain
from sendit.deid.recipe.recipe import load_recipe
from sendit.errors import SenditError
from sendit.web.site import site

SHIPPED = ("basic", "research", "limited-dataset")


def recipes(request: HttpRequest) -> HttpResponse:
    """Answer `/recipes?recipe=research`: the site's recipe, or a shipped one. No path is taken from a request."""
    own = site().study_deid
    offered = [own, *(name for name in SHIPPED if name != own)]
    wanted = request.GET.get("recipe", own)
    name = wanted if wanted in offered else own
    context = {"offered": offered, "name": name, "is_own": name == own}
    try:
        told = explain(load_recipe(name))
    except SenditError as error:
        return render(request, "web/recipes.html", context | {"problem": str(error)})
    return render(request, "web/recipes.html", context | {"told": told, "sha256": told.recipe.sha256})
