"""Plots by matplotlib as SVG elements in one quiet style that follow the page's light and dark."""
