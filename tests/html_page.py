"""What an HTML page holds, for the tests of the reports."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """What a page loads, its elements and its text."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.elements, self.texts = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.loads += [value for name, value in attributes if name in ("src", "href", "srcset", "data", "action")]

    def handle_data(self, data):
        self.texts.append(data)
