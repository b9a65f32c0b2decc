//! What the feed of an empty deck shows: `[DECK=]SHOW`.

use std::str::FromStr;
use std::time::Duration;

use super::{Name, Period};

/// For a deck, or for all of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct IdleOf {
    pub(crate) deck: Option<Name>,
    pub(crate) show: Show,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Show {
    /// The last picture.
    #[default]
    Last,
    /// Nothing.
    Black,
    /// What a channel records, the first one unless it is named, so much later.
    Live {
        channel: Option<Name>,
        delay: Duration,
    },
}

impl FromStr for IdleOf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (deck, show) = Name::before_equals(text);
        Ok(Self {
            deck,
            show: show.parse()?,
        })
    }
}

impl FromStr for Show {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (show, delay) = match text.split_once('+') {
            Some((show, delay)) => (show, Some(delay.parse::<Period>()?)),
            None => (text, None),
        };
        let (show, channel) = match show.split_once(':') {
            Some((show, channel)) => (show, Some(channel.parse()?)),
            None => (show, None),
        };
        match (show, &channel, delay) {
            ("last", None, None) => Ok(Self::Last),
            ("black", None, None) => Ok(Self::Black),
            ("live", _, _) => Ok(Self::Live {
                channel,
                delay: delay.map_or(Duration::ZERO, Duration::from),
            }),
            _ => Err("it is last, black, live, live:CHANNEL or live:CHANNEL+10s".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let live = |channel: Option<&str>, seconds| Show::Live {
            channel: channel.map(|name| name.parse().expect("a name")),
            delay: Duration::from_secs(seconds),
        };
        for (text, deck, show) in [
            ("last", None, Show::Last),
            ("b=black", Some("b"), Show::Black),
            ("live", None, live(None, 0)),
            ("live+10s", None, live(None, 10)),
            ("b=live:cam2", Some("b"), live(Some("cam2"), 0)),
            ("live:cam2+1min", None, live(Some("cam2"), 60)),
        ] {
            let read: IdleOf = text.parse().expect(text);
            assert_eq!(read.deck.as_ref().map(Name::as_str), deck, "{text}");
            assert_eq!(read.show, show, "{text}");
        }
        for text in [
            "",
            "white",
            "last+3s",
            "last:main",
            "live+",
            "live:",
            "live:a/b",
        ] {
            assert!(text.parse::<IdleOf>().is_err(), "{text}");
        }
    }
}
