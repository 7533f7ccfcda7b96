"""All models that are here: what is known of each, and what can be done with your own."""

import streamlit as st

from explorer import cache
from explorer.panels import adding, problem, shelf
from explorer.text import _, ngettext

st.title(_("Models"), anchor=False)
problem.show_notices()
found, _broken = cache.all_models()  # the sidebar says which cannot be opened
own = sum(not info.shipped for info in found)
words = ngettext("{n} model", "{n} models", len(found)).format(n=len(found))
st.markdown(_("{models}, {own} of them your own.").format(models=words, own=own))
adding.show()
shelf.show(found)
