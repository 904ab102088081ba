"""Figures as data: each chart is a Vega-Lite spec, made by a pure function; `svg` draws them for the page.

A spec computes nothing: it holds values that are worked out here, so a test can compare them with the scorecard, and
a name from outside is never more than a value in its data.
"""
