//! Which texts people can read as they are: names, topics.

/// Returns whether there is something to see in a text, and nothing in it that hides, or turns the direction of what stands beside it: two
/// names that look alike could be different, and one could write over its line in a list.
///
/// What joins and separates letters (U+200C, U+200D) and chooses a form (variation selectors) is needed in Persian, in Indic scripts and by
/// emoji; it may stand beside letters, but is nothing to see by itself.
pub(crate) fn is_legible(text: &str) -> bool {
    text.chars().any(|character| !is_blank(character)) && !text.chars().any(is_hidden)
}

/// Control characters, separators of lines, and the characters of format (Unicode category Cf, and what is reserved for such) that
/// nobody sees.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e00ff}')
}

/// White space, and what shows as nothing without being hidden: joiners, variation selectors, fillers.
fn is_blank(character: char) -> bool {
    character.is_whitespace()
        || matches!(character,
            '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180d}' | '\u{180f}'
            | '\u{200c}'..='\u{200d}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}'
            | '\u{e0100}'..='\u{e01ef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_cannot_see_or_what_turns_the_line_is_refused() {
        let rows = [
            ("Ana", true),
            ("Größe – «ü» 会議", true),
            ("می\u{200c}خواهم", true),
            ("👩\u{200d}👧 ❤\u{fe0f}", true),
            ("שלום", true),
            ("", false),
            (" \u{3000}", false),
            ("\u{200b}", false),
            ("\u{200d}\u{fe0f}", false),
            ("\u{3164}", false),
            ("\u{2800}", false),
            ("Ana\u{200b}", false),
            ("Ana\u{ad}", false),
            ("Ana\u{feff}", false),
            ("Ana\u{2028}Ben", false),
            ("Ana\u{7}", false),
            ("Ana\u{85}", false),
            ("\u{202e}anA", false),
            ("\u{2067}anA\u{2069}", false),
            ("Ana\u{200f}", false),
            ("Ana\u{e0041}", false),
        ];
        for (text, expected) in rows {
            assert_eq!(is_legible(text), expected, "{}", text.escape_unicode());
        }
    }
}
