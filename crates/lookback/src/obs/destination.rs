//! Whether OBS's recording is one that comes here: a Custom Output (FFmpeg) to one of our sources.

use super::connection::Refusal;
use super::studio::{self, Studio};
use crate::settings::Name;
use crate::source::Input;

/// What the current profile records to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Destination {
    pub(super) profile: String,
    /// The channel that it comes to, if it comes here.
    pub(super) channel: Option<Name>,
}

impl Destination {
    /// Asks OBS.
    pub(super) async fn of(studio: &impl Studio, inputs: &[Input]) -> Result<Self, Refusal> {
        let profile = studio::profiles(studio).await?.current;
        let mut channel = None;
        if is(studio, "Output", "Mode", "Advanced").await?
            && is(studio, "AdvOut", "RecType", "FFmpeg").await?
            && is(studio, "AdvOut", "FFOutputToFile", "false").await?
        {
            let url = studio::parameter(studio, "AdvOut", "FFURL").await?.value;
            let url = url.unwrap_or_default();
            let input = inputs.iter().find(|input| input.address.takes(&url));
            channel = input.map(|input| input.channel.clone());
        }
        Ok(Self { profile, channel })
    }
}

async fn is(
    studio: &impl Studio,
    category: &str,
    name: &str,
    wanted: &str,
) -> Result<bool, Refusal> {
    let parameter = studio::parameter(studio, category, name).await?;
    let value = parameter.value.or(parameter.default);
    Ok(value.is_some_and(|value| value.eq_ignore_ascii_case(wanted)))
}

#[cfg(test)]
mod tests {
    use super::super::replies::Replies;
    use super::*;

    fn inputs(texts: &[&str]) -> Vec<Input> {
        texts
            .iter()
            .map(|text| text.parse().expect("a source"))
            .collect()
    }

    async fn destination_of(
        parameters: &[(&'static str, &'static str)],
        sources: &[&str],
    ) -> Destination {
        let parameters = parameters.to_vec();
        let studio = Replies::new(move |request, data| match request {
            "GetProfileList" => Ok(serde_json::json!(
                {"currentProfileName": "P", "profiles": ["P", "Q"]})),
            "GetProfileParameter" => {
                let name = data["parameterName"].as_str().expect("a name");
                let set = parameters.iter().find(|(known, _)| *known == name);
                let default = match name {
                    "Mode" => Some("Simple"),
                    "RecType" => Some("Standard"),
                    "FFOutputToFile" => Some("true"),
                    _ => None,
                };
                Ok(
                    serde_json::json!({"parameterValue": set.map(|(_, value)| value).or(default.as_ref()),
                                      "defaultParameterValue": default}),
                )
            }
            other => panic!("{other} is not asked"),
        });
        Destination::of(&studio, &inputs(sources))
            .await
            .expect("an answer")
    }

    const CUSTOM: [(&str, &str); 3] = [
        ("Mode", "Advanced"),
        ("RecType", "FFmpeg"),
        ("FFOutputToFile", "false"),
    ];

    #[tokio::test]
    async fn a_custom_output_to_a_source_of_ours_is_ours() {
        let sources = [
            "a.ts",
            "cam2=tcp://0.0.0.0:1700",
            "udp://127.0.0.1:1800",
            "cam3=srt://0.0.0.0:1900",
        ];
        for (url, channel) in [
            ("a.ts", Some("main")),
            ("tcp://127.0.0.1:1700", Some("cam2")),
            ("tcp://replay-pc:1700?tcp_nodelay=1", Some("cam2")),
            ("udp://127.0.0.1:1800?pkt_size=1316", Some("main")),
            ("srt://replay-pc:1900?passphrase=correcthorse", Some("cam3")),
            ("udp://127.0.0.1:1700", None),
            ("tcp://127.0.0.1:1701", None),
            ("b.ts", None),
            ("", None),
        ] {
            let parameters = [&CUSTOM[..], &[("FFURL", url)]].concat();
            let destination = destination_of(&parameters, &sources).await;
            let found = destination.channel.as_ref().map(Name::as_str);
            assert_eq!(
                (found, destination.profile.as_str()),
                (channel, "P"),
                "{url}"
            );
        }
    }

    #[tokio::test]
    async fn any_other_recording_is_not() {
        for left_out in CUSTOM {
            let mut parameters = vec![("FFURL", "a.ts")];
            parameters.extend(CUSTOM.iter().filter(|it| **it != left_out));
            let destination = destination_of(&parameters, &["a.ts"]).await;
            assert_eq!(destination.channel, None, "without {}", left_out.0);
        }
    }
}
