"""Parts of pages that pages share or that would bloat one."""
