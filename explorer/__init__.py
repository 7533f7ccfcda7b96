"""The app: pages in a browser, and the command line. It knows `models`, which does not know it."""
