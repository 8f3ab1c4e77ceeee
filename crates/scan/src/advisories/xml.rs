//! XML that somebody else wrote, element by element: of bounded depth and text, without a document
//! type, so that no entity expands and nothing outside is asked for.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The longest text of an element, in bytes.
const TEXT_LIMIT: usize = 64 * 1024;

/// How deep elements may lie in each other.
const DEPTH_LIMIT: usize = 32;

/// What is done with the elements of a file.
pub(super) trait Elements {
    /// An element begins, inside those of `path`, the outermost first.
    fn begin(&mut self, path: &[String], element: &BytesStart<'_>) -> Result<(), String>;

    /// It ends; its own text, without that of elements inside it, comes before any of them or is empty.
    fn end(&mut self, path: &[String], name: &str, text: &str) -> Result<(), String>;
}

/// The name of the outermost element, without that of its space; `None` if it is no XML.
///
/// # Errors
/// It begins as XML and goes on as something else.
pub(super) fn root(bytes: &[u8]) -> Result<Option<String>, String> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if !start.trim_ascii_start().starts_with(b"<") {
        return Ok(None);
    }
    let mut reader = Reader::from_str(text_of(bytes)?);
    loop {
        match reader
            .read_event()
            .map_err(|error| malformed(&reader, &error))?
        {
            Event::DocType(_) => return Err("it has a document type, which is not read".to_owned()),
            Event::Start(element) | Event::Empty(element) => return Ok(Some(name(&element))),
            Event::Eof => return Err("it has no element".to_owned()),
            _ => {}
        }
    }
}

/// Goes through a file.
///
/// # Errors
/// It is not UTF-8 or not well-formed, has a document type, is too deep, or is refused by `to`.
pub(super) fn walk(bytes: &[u8], to: &mut impl Elements) -> Result<(), String> {
    let mut reader = Reader::from_str(text_of(bytes)?);
    reader.config_mut().check_end_names = true;
    let (mut path, mut text) = (Vec::<String>::new(), String::new());
    loop {
        match reader
            .read_event()
            .map_err(|error| malformed(&reader, &error))?
        {
            Event::Eof => break,
            Event::DocType(_) => return Err("it has a document type, which is not read".to_owned()),
            Event::Start(element) => {
                to.begin(&path, &element)?;
                path.push(name(&element));
                if path.len() > DEPTH_LIMIT {
                    return Err(format!("its elements lie more than {DEPTH_LIMIT} deep"));
                }
                text.clear();
            }
            Event::Empty(element) => {
                to.begin(&path, &element)?;
                to.end(&path, &name(&element), "")?;
            }
            Event::Text(part) if text.len() <= TEXT_LIMIT => text.push_str(&part),
            Event::End(_) => {
                let ended = path.pop().unwrap_or_default();
                to.end(&path, &ended, text.trim())?;
                text.clear();
            }
            _ => {}
        }
    }
    match path.is_empty() {
        true => Ok(()),
        false => Err("it ends in the middle".to_owned()),
    }
}

fn text_of(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn malformed(reader: &Reader<&[u8]>, error: &quick_xml::Error) -> String {
    let error = bonded_model::shown(&error.to_string());
    let place = reader.error_position();
    format!("it is not well-formed at byte {place}: {error}")
}

/// The name of an element, without that of its space.
pub(super) fn name(element: &BytesStart<'_>) -> String {
    element.local_name().as_ref().to_owned()
}

/// An attribute, without entities; empty if there is none.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Result<String, String> {
    let found = element
        .try_get_attribute(name)
        .map_err(|error| error.to_string())?;
    let text = found.map(|found| found.value.clone().into_owned());
    Ok(text.unwrap_or_default())
}
