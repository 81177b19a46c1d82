// Package browsertest opens a report in a real browser, for tests: headless Chromium, on a file, without a network. It tells what went wrong on the page and
// what its plots show, and takes pictures. It is no tool for driving web sites: it refuses whatever is not a file.
package browsertest
