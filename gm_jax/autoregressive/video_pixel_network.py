"""The video pixel network: films frame by frame, and each frame pixel by pixel.

Kalchbrenner et al. 2016, Video Pixel Networks (arXiv 1610.00527).

    p(x) = prod_t prod_i p(x_t,i | x_t,<i, x_<t)                                          eq. 1

An encoder of each frame at full resolution and a convolutional LSTM over time say what is known of
the frames before, a masked decoder says the rest. On Moving MNIST (section 5.1) a pixel has one
logit, and its loss is the cross-entropy to its grey value z, taken as a probability:

    H(z, y) = -sum z log y + (1 - z) log(1 - y)                                           eq. 4

which is -log p if pixels are black and white, and otherwise at least H(z, z).
"""

import math
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import lax

from gm_jax import games, networks
from gm_jax.autoregressive.shared import pixels
from gm_jax.causal import sample
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import bernoulli, categorical
from gm_jax.model import Array, Aux, Phase, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.masked import scaled
from gm_jax.nn.multiplicative import FilmEncoder, FrameDecoder
from gm_jax.settings import arguments, at_least, one_of, part_of, schema

OUTPUTS = ("sigmoid", "softmax")
EncoderSettings = part_of(FilmEncoder, "dtype")
DecoderSettings = part_of(FrameDecoder, "levels", "colors", "outputs", "dtype")


@schema
class Settings(pixels.Settings):
    """A video pixel network.

    known    frames of a film that are given; the others are predicted, and drawn
    output   of a pixel: "softmax" over its values, or "sigmoid", one logit of white
    encoder  of the frames before
    decoder  of a frame
    """

    known: Annotated[int, at_least(1)] = 10
    output: Annotated[str, one_of(OUTPUTS)] = "sigmoid"
    encoder: EncoderSettings = EncoderSettings()
    decoder: DecoderSettings = DecoderSettings()


def around(outputs: Array, levels: int) -> Array:
    """Logits [..., 1] of white, y, as log-probabilities of the levels [..., levels].

    Eq. 4 is least for y = z, so y is the grey value that is expected. Of its two neighbouring
    levels one is drawn, such that the mean is y; of black and white, white with probability y.
    """
    position = (levels - 1) * jax.nn.sigmoid(outputs.astype(jnp.float32))
    distance = jnp.abs(position - jnp.arange(levels))
    return jnp.log(jnp.maximum(1.0 - distance, 0.0))


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """An encoder of frames and a masked decoder in one phase; configs/vpn_moving_digits.py.

    Raises UserError if films have no frame beyond those that are given.
    """
    video, dtype, known = field_of(spec, "video"), jnp.dtype(settings.dtype), settings.known
    (count, *shape), levels = video.shape, video.cardinality
    if count <= known:
        raise UserError(
            f"films have {count} frames, and known={known} of them are given: nothing is left to"
            " predict. Set data.frames higher, or known lower"
        )
    grey = settings.output == "sigmoid"
    decoding = FrameDecoder(
        levels, shape[-1], 1 if grey else levels, **arguments(settings.decoder), dtype=dtype
    )
    encoder = Network("encoder", FilmEncoder(**arguments(settings.encoder), dtype=dtype))
    decoder = Network("decoder", decoding)

    def finish(x, outputs):
        return around(outputs, levels) if grey else outputs

    model = pixels.causal(decoding, tuple(shape), finish)

    def symbols(frames):
        return jnp.round((frames + 1.0) * ((levels - 1) / 2.0)).astype(jnp.int32)

    def init(key, batch, previous):
        frames = batch["video"][:1, :2]
        maps = jnp.zeros((1, *shape[:2], 2 * settings.encoder.width))
        keys = jax.random.split(key)
        return networks.init(keys, (encoder, frames), (decoder, symbols(frames[:, 0]), maps))

    def nats(variables, films):
        """Of each frame after those given, [B, T - known]."""
        maps, _ = encoder(variables, films[:, :-1])
        maps, frames = (
            x.reshape(-1, *x.shape[2:]) for x in (maps[:, known - 1 :], films[:, known:])
        )
        outputs = decoder(variables, symbols(frames), maps)
        if grey:
            log_p = bernoulli((frames + 1.0) / 2.0, outputs[..., 0])
        else:
            log_p = categorical(symbols(frames), outputs)
        return -log_p.reshape(len(films), -1)

    def cross_entropy(variables, batch, key, step):
        """In nats a frame."""
        return jnp.mean(nats(variables, batch["video"])), Aux()

    def continued(variables, films, keys):
        """Films [B, T, H, W, C] whose frames after those given are drawn, one after another."""
        params, sampler = variables.params["decoder"], arguments(settings.sampler)

        def frame(carry, number):
            maps, memory = carry
            here = jax.vmap(jax.random.fold_in, (0, None))(keys, number)
            x = sample(model, params, here, math.prod(shape), maps, **sampler)
            x = scaled(x, levels).reshape(-1, *shape).astype(films.dtype)
            maps, memory = encoder(variables, x[:, None], memory)
            return (maps[:, 0], memory), x

        maps, memory = encoder(variables, films[:, :known])
        _, drawn = lax.scan(frame, (maps[:, -1], memory), jnp.arange(known, count))
        return jnp.concatenate([films[:, :known], drawn.swapaxes(0, 1)], axis=1)

    def complete(variables, batch, key):
        """The film, and the frames given with a continuation that is drawn: [B, 2, T, H, W, C]."""
        films = batch["video"]
        made = continued(variables, films, example_keys(key, batch))
        return {"video": jnp.stack([films, made], axis=1)}

    def log_prob(variables, batch, key):
        """Nats a frame, of true frames before it, [B]."""
        return {"nats_per_frame": jnp.mean(nats(variables, batch["video"]), axis=1)}

    moves, owned = {"cross_entropy": cross_entropy}, ("encoder", "decoder")
    players = (games.player("model", owned, moves, settings, settings.average),)
    functions = {"complete": complete, "log_prob": log_prob}
    return (games.phase(settings, init, players, functions),)
