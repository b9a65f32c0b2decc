//! `lookback serve` and `lookback demo`: start, run, stop.
//!
//! Everything that can be in the way is taken before the first line is printed: ports, pipes, files.
//! From then on nothing but a signal ends the program.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lookback_replay::{Limits, Policy, Recorder, Replays};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info};

use crate::archive::Archive;
use crate::clock;
use crate::convert::{Ffmpeg, Jobs};
use crate::decks::{Decks, play_into};
use crate::http::{self, App, Connections, Guard, Plans};
use crate::library::Library;
use crate::obs::{Obs, Surroundings};
use crate::replays::{self, Shelf};
use crate::settings::{Name, Settings};
use crate::signals;
use crate::sink::Sink;
use crate::source::{Input, Source};
use crate::usage::Usage;
use crate::watch;

/// Records and serves until it is told to stop.
pub(crate) async fn run(settings: Settings) -> Result<(), Usage> {
    let stop = signals::stop().map_err(|error| Usage::new(format!("no signals here: {error}")))?;
    let listener = listen(settings.listen).await?;
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let memory = usize::try_from(settings.memory.0).unwrap_or(usize::MAX);
    let recorder = Recorder::new(Limits {
        memory,
        keep: settings.keep,
    });
    let policy = Policy {
        when_full: settings.when_full,
        keep_live: settings.keep_live,
    };
    let shelf = Shelf::new(Replays::new(Arc::clone(&recorder), policy));
    let sources = bind(&settings.inputs, &settings.ffmpeg, &recorder).await?;
    let sinks = settings.play_to.iter().map(|play_to| {
        let sink = Sink::bind(&play_to.address)?;
        Ok((&play_to.deck, sink))
    });
    let sinks: Vec<_> = sinks.collect::<Result<_, Usage>>()?;
    let (decks, playing) = Decks::new(&settings.decks, &recorder)?;
    let library = settings.library.as_ref();
    let library = library
        .map(|(folder, template)| Library::open(folder, template.clone()))
        .transpose()?;
    let (jobs, workers) = Jobs::new(
        Arc::clone(&recorder),
        Ffmpeg::new(settings.ffmpeg.clone(), settings.job_limits),
        settings.presets.clone(),
        library,
        settings.jobs,
    );
    greet(address, &settings);

    let taken: Vec<&Input> = sources.iter().map(|(input, _)| *input).collect();
    let mut tasks = JoinSet::new();
    for (input, source) in sources {
        let channel = recorder.add_channel(input.channel.as_str());
        tasks.spawn(source.run(input.address.to_string(), channel));
    }
    for deck in playing {
        tasks.spawn(deck);
    }
    for (deck, sink) in sinks {
        if let Some(deck) = decks.named(deck.as_str()) {
            tasks.spawn(play_into(sink, deck.clone()));
        }
    }
    tasks.spawn(replays::grow(Arc::clone(&shelf)));
    for worker in workers {
        tasks.spawn(worker);
    }
    let auto = match &settings.auto_export {
        Some(format) => Some(jobs.task(format, &BTreeMap::new()).map_err(|error| {
            Usage::new(format!(
                "--auto-export {format}: {error}; it is ts, mp4 or a preset"
            ))
        })?),
        None => None,
    };
    let archive = Archive::new(Arc::clone(&shelf), jobs.clone(), auto, settings.moves);
    tasks.spawn(Arc::clone(&archive).run());
    let plans = Arc::<Plans>::default();
    tasks.spawn(expire(
        Arc::clone(&recorder),
        Arc::clone(&plans),
        jobs.clone(),
    ));
    tasks.spawn(watch::run(Arc::clone(&recorder)));
    let connections = Arc::new(Connections::default());
    let guard = Guard::new(
        settings.hosts.clone(),
        address.ip().is_loopback(),
        settings.token.clone(),
    )
    .with_view_token(settings.view_token.clone())
    .listening_at(address);
    let play_to = sinks_of(&settings, &Name::main()).join(" and ");
    let app = App::new(
        shelf,
        archive,
        plans,
        decks.clone(),
        jobs,
        play_to,
        Arc::clone(&connections),
    )
    .taking_from(taken);
    let app = match settings.obs {
        None => app,
        Some(obs) => {
            let surroundings = Surroundings {
                inputs: settings.inputs,
                recorder: Arc::clone(&recorder),
                decks,
                port: address.port(),
            };
            let (obs, watching) = Obs::new(obs, surroundings);
            tasks.spawn(watching);
            app.with_obs(obs)
        }
    };
    let router = http::router(Arc::new(app), guard);
    tasks.spawn(http::serve(listener, router, connections, recorder));
    stop.await;
    info!("stopping");
    // Waits for each to be dropped, and with it the FIFOs that were made.
    tasks.shutdown().await;
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Usage> {
    TcpListener::bind(address)
        .await
        .map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => Usage::new(format!(
                "{address} is in use (is lookback running already?): stop that program, or listen \
             elsewhere with --listen HOST:PORT"
            )),
            _ => Usage::new(format!("--listen {address}: {error}")),
        })
}

/// Takes what the sources need, and adds their channels in the order in which they are named. A source
/// that nobody asked for may be in use by somebody else.
async fn bind<'a>(
    inputs: &'a [Input],
    ffmpeg: &Path,
    recorder: &Arc<Recorder>,
) -> Result<Vec<(&'a Input, Source)>, Usage> {
    let mut bound = Vec::new();
    for input in inputs {
        let channel = recorder.add_channel(input.channel.as_str());
        match Source::bind(&input.address, ffmpeg).await {
            Ok(source) => bound.push((input, source)),
            Err(error) if input.optional => {
                channel.report("source_in_use", error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(bound)
}

/// How long a clip or a result that nobody reads is kept: a player that was paused comes back to it.
const UNUSED_MAX: Duration = Duration::from_secs(30 * 60);
const EXPIRE_EVERY: Duration = Duration::from_secs(30);

async fn expire(recorder: Arc<Recorder>, plans: Arc<Plans>, jobs: Jobs) {
    let mut ticks = interval(EXPIRE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        recorder.expire_clips(clock::now(), UNUSED_MAX);
        plans.expire();
        jobs.expire(clock::now(), UNUSED_MAX);
    }
}

/// Where a deck plays besides HTTP.
fn sinks_of(settings: &Settings, deck: &Name) -> Vec<String> {
    let of_deck = settings
        .play_to
        .iter()
        .filter(|play_to| play_to.deck == *deck);
    of_deck.map(|play_to| play_to.address.to_string()).collect()
}

/// The first line is for programs that wait for it; the rest tells people what to do next.
fn greet(address: SocketAddr, settings: &Settings) {
    let mut output = io::stdout().lock();
    let told = writeln!(output, "listening on http://{address}").and_then(|()| output.flush());
    if let Err(error) = told {
        error!("cannot write to standard output: {error}");
    }
    // What listens everywhere is reached here by this address: a browser that asks for 0.0.0.0 is refused.
    let here = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    };
    for input in &settings.inputs {
        info!("{}: takes MPEG-TS from {}", input.channel, input.address);
    }
    info!("look at it in a browser: http://{here}/");
    if !address.ip().is_loopback() {
        info!("or on a tablet: lookback link --token-file FILE shows a QR code");
    }
    info!("watch it: mpv http://{here}/video");
    for sink in sinks_of(settings, &Name::main()) {
        info!("play it into {sink}: http://{here}/play");
    }
    info!("or show it in OBS: http://{here}/decks/main.ts");
}
