//! A writer of the XML that AWS answers with: elements and text, no more.
//!
//! Owns the escaping; the nesting is right because an element is closed by the call that opened it. It is smaller than the
//! use of a library would be, and nothing here reads XML. Deliberately absent: attributes other than a namespace, and reading more than the text
//! of an element.

/// XML as it is written.
#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// An element with what `inside` writes.
    pub fn within(&mut self, name: &str, inside: impl FnOnce(&mut Xml)) {
        self.open(name, None);
        inside(self);
        self.close(name);
    }

    /// The same in a namespace.
    pub fn within_namespace(&mut self, name: &str, namespace: &str, inside: impl FnOnce(&mut Xml)) {
        self.open(name, Some(namespace));
        inside(self);
        self.close(name);
    }

    /// An element with a text.
    pub fn text(&mut self, name: &str, text: &str) {
        self.open(name, None);
        self.escaped(text);
        self.close(name);
    }

    /// A list: an element with a `member` for each item, as the query protocol has them.
    pub fn members<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Xml, T),
    ) {
        self.within(name, |xml| {
            for item in items {
                xml.within("member", |xml| write(xml, item));
            }
        });
    }

    /// What was written elsewhere.
    pub fn put(&mut self, other: Xml) {
        self.0.push_str(&other.0);
    }

    /// What was written.
    pub fn done(self) -> String {
        self.0
    }

    fn open(&mut self, name: &str, namespace: Option<&str>) {
        self.0.push('<');
        self.0.push_str(name);
        if let Some(namespace) = namespace {
            self.0.push_str(" xmlns=\"");
            self.escaped(namespace);
            self.0.push('"');
        }
        self.0.push('>');
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    /// Text with nothing that would be markup. XML 1.0 has no spelling for control characters, so they are replaced.
    fn escaped(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                // Readers would make a line feed of it.
                '\r' => self.0.push_str("&#xD;"),
                '\n' | '\t' => self.0.push(c),
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(c),
            }
        }
    }
}

/// The text that [`Xml::text`] was given; control characters excepted, which are not written.
pub fn unescaped(text: &str) -> String {
    let marks = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#xD;", "\r"),
        ("&amp;", "&"),
    ];
    marks
        .into_iter()
        .fold(text.to_owned(), |text, (mark, plain)| text.replace(mark, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back() {
        let text = "<b> & \"c\"\r\n &lt; &amp;lt;";
        let mut xml = Xml::default();
        xml.escaped(text);
        assert_eq!(unescaped(&xml.done()), text);
    }

    #[test]
    fn text_is_never_markup() {
        let mut xml = Xml::default();
        xml.within_namespace("A", "urn:\"x\"", |xml| {
            xml.text("B", "<b> & \"c\"\r\n\u{0}é");
            xml.members("Items", ["1", "2"], |xml, item| xml.text("Id", item));
            xml.members("None", [(); 0], |_, ()| {});
        });
        assert_eq!(
            xml.done(),
            "<A xmlns=\"urn:&quot;x&quot;\"><B>&lt;b&gt; &amp; &quot;c&quot;&#xD;\n\u{fffd}é</B>\
             <Items><member><Id>1</Id></member><member><Id>2</Id></member></Items><None></None></A>"
        );
    }
}
