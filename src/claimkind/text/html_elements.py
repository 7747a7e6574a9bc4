"""Elements and names of HTML: which of them a reader does not see, and which are no part of an article."""

HIDDEN = frozenset({
    "audio", "canvas", "datalist", "head", "iframe", "map", "math", "noscript", "object", "script", "style",
    "svg", "template", "textarea", "video",
})  # fmt: skip
"""Elements whose content is no text of the page."""
VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip
"""Elements without an end tag."""
HEADINGS = frozenset({
    "h1", "h2", "h3", "h4", "h5", "h6", "legend", "summary",
})  # fmt: skip
"""Elements that hold a heading."""
BOILERPLATE_ELEMENTS = frozenset({
    "address", "aside", "button", "caption", "dialog", "figcaption", "footer", "label", "menu", "nav",
    "option", "select",
})  # fmt: skip
"""Elements that are no part of an article's text."""
BLOCK_ELEMENTS = BOILERPLATE_ELEMENTS | HEADINGS | frozenset({
    "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset", "figure", "form",
    "header", "hgroup", "html", "li", "main", "ol", "optgroup", "p", "pre", "section", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "ul",
})  # fmt: skip
"""Elements that begin a new line; all others are part of a line."""
BOILERPLATE_ROLES = frozenset({
    "alert", "banner", "complementary", "contentinfo", "dialog", "menu", "menubar", "navigation", "search",
    "toolbar",
})  # fmt: skip
"""Values of `role` for what is no part of an article's text."""
BOILERPLATE_NAMES = frozenset({
    "ad", "ads", "advert", "advertisement", "author", "authors", "bio", "breadcrumb", "breadcrumbs", "byline",
    "caption", "catlinks", "comments", "cookie", "cookies", "copyright", "credit", "credits", "date", "dateline",
    "disclaimer", "editsection", "footer", "footnote", "footnotes", "hatnote", "masthead", "menu", "meta",
    "metadata", "nav", "navbar", "navbox", "navigation", "newsletter", "pagination", "popup", "promo", "pubdate",
    "recommended", "references", "reflist", "related", "share", "sharing", "sidebar", "signup", "skip", "social",
    "sponsor", "sponsored", "subscribe", "tags", "thumbcaption", "timestamp", "toc", "toolbar",
    "unsubscribe",
})  # fmt: skip
"""First or last word of a class or an id of such an element: `article-byline`, `shareButtons`, `newsletter_signup`."""
