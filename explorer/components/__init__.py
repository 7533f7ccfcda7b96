"""Parts of pages that run in the browser: components v2, plain HTML, CSS and JavaScript, no build step."""
