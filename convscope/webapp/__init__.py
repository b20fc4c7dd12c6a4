"""The lab: a web page to inspect networks, train and learn. Python computes, the page displays."""
