"""The settings and the game of Stable Diffusion: sampled as published, or fine-tuned.

    L = E || target - U(z_t, t, text) ||^2,  z = scale (mean + deviation n) of the image

target is the noise or v, as the published network predicts; t is uniform on 1 .. T. Rombach et al.
2022 (arXiv 2112.10752), eq. 3. The text encoder and the autoencoder are not trained.
"""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from gm_jax import games, tokenizers
from gm_jax.diffusion.shared import published
from gm_jax.diffusion.shared.prediction import PREDICTIONS
from gm_jax.diffusion.stable_diffusion import files, generate, inputs, tuning
from gm_jax.losses import diffusion as losses
from gm_jax.model import (
    Aux,
    Field,
    GenerativeModel,
    Phase,
    Stage,
    Variables,
    example_keys,
    field_of,
)
from gm_jax.nn.layers import normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import (
    Recipe,
    Restartable,
    at_least,
    at_most,
    one_of,
    schema,
)

STAGE = "published"  # its name in `Variables.frozen`
TRAINED = ("none", "unet", "lora")
PREDICTED = {"": None, "noise": "epsilon", "v": "v_prediction"}


@schema
class Sampler:
    """From a text to an image.

    name      the sampler; "" for the one that the folder states
    steps     from noise to image
    spacing   of the steps: leading, trailing, linspace or karras; "" for the sampler's own
    eta       noise of ddim
    guidance  w of (1 + w) prompt - w negative; elsewhere the scale is 1 + w, so 6.5 is their 7.5
    prompt    what to draw; several are lines of it, which take turns; "" for the captions of the
              data, or those that are given: sample(trained, 4, given={"caption": "a cat"})
    negative  what not to draw
    skip      how many of the text encoder's last blocks are left out
    height    of the image, in pixels; if not set, as the network was trained
    width     of the image, in pixels; if not set, as the network was trained
    image     a file to start from (image to image), or to fill the mask in
    mask      a file that is white where the image is to be made anew (inpainting)
    strength  share of the steps that an image goes through: 1 keeps nothing of it
    """

    name: Annotated[str, one_of(("", *inputs.SAMPLERS))] = ""
    steps: Annotated[int, at_least(1)] = 50
    spacing: Annotated[str, one_of(("", *inputs.SPACINGS))] = ""
    eta: Annotated[float, at_least(0.0), at_most(1.0)] = 0.0
    guidance: Annotated[float, at_least(0.0)] = 6.5
    prompt: str = ""
    negative: str = ""
    skip: Annotated[int, at_least(0)] = 0
    height: Annotated[int | None, at_least(1)] = None
    width: Annotated[int | None, at_least(1)] = None
    image: str = ""
    mask: str = ""
    strength: Annotated[float, at_least(0.0), at_most(1.0)] = 0.8

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.mask and not self.image:
            yield "mask needs an image to fill: set sampler.image, too"
        if (self.height is None) != (self.width is None):
            yield "height and width go together: set both or none"


@schema
class Lora:
    """Low-rank updates of the U-Net's attention.

    rank   0 for none
    scale  of the updates
    """

    rank: Annotated[int, at_least(0)] = 4
    scale: Annotated[float, at_least(0.0)] = 1.0


@schema
class Settings(Recipe):
    """Stable Diffusion 1.x and 2.x.

    steps            rounds of fine-tuning; 0 to use the published weights as they are
    weights          a folder in diffusers' layout, or an original checkpoint (.safetensors, .ckpt)
    architecture     of a checkpoint of another size: a folder with the config.json of each network
    prediction       what the network predicts, if the files do not say it: noise or v
    train            what is fine-tuned: none, unet, or lora for low-rank updates of its attention
    lora             of train=lora
    caption_dropout  share of captions hidden in training, for sampler.guidance
    remat            whether fine-tuning computes the inside of the U-Net's blocks again in the
                     backward pass, which takes less memory and more time
    optimizer        one of optax's
    sampler          from a text to an image
    """

    steps: Annotated[int, at_least(0), Restartable(trains=True)]
    weights: Annotated[str, Restartable(trains=True)] = ""
    architecture: Annotated[str, Restartable(trains=True)] = ""
    prediction: Annotated[str, one_of(PREDICTED)] = ""
    train: Annotated[str, one_of(TRAINED)] = "none"
    lora: Lora = Lora()
    caption_dropout: Annotated[float, at_least(0.0), at_most(1.0)] = 0.1
    remat: bool = False
    optimizer: Optimizer = adam(1e-5)
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if bool(self.steps) != (self.train != "none"):
            yield f"train is {self.train} and steps is {self.steps}: steps=0 goes with train=none"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Functions of the published networks and, if they are fine-tuned, one player."""
    dtype = jnp.dtype(settings.dtype)
    opened = files.open_published(settings.weights, dtype, settings.architecture)
    nets = generate.Networks(**opened.components)
    denoiser = nets.unet.network
    denoiser = denoiser._replace(module=denoiser.module.clone(remat=settings.remat))
    nets = nets._replace(unet=nets.unet._replace(network=denoiser))
    scheduler = inputs.scheduler(opened.scheduler, PREDICTED[settings.prediction])
    # Parameters that only are used may be as narrow as the computation.
    kept = dtype if dtype.itemsize < 4 else np.float32
    stage = Stage(GenerativeModel(None, (), {}), lambda: files.read(opened, kept))

    def parts(variables: Variables) -> Variables:
        """The three networks' parameters, with what is fine-tuned in them."""
        params = dict(variables.frozen[STAGE].params)
        if settings.train == "unet":
            params["unet"] = variables.params["unet"]
        elif settings.train == "lora":
            updates = variables.params["lora"]
            params["unet"] = tuning.merged(params["unet"], updates, settings.lora.scale)
        return Variables(params)

    def init(key, batch, previous):
        if settings.train == "lora":
            return Variables({"lora": tuning.init_lora(key, nets.unet.shapes, settings.lora.rank)})
        return Variables({"unet": previous.params["unet"]} if settings.train == "unet" else {})

    functions, shape = _functions(settings, nets, opened, scheduler, parts)
    fields = {"image": Field(shape, 256), "caption": tokenizers.field_of(opened.tokenizer())}
    if settings.train == "none":
        phase = games.phase(settings, init, (), functions, fields, {STAGE: stage})
        return (phase,)
    loss = _loss(settings, spec, nets, opened, scheduler, parts)
    player = games.player(
        "denoiser", (settings.train,), {"l_simple": loss}, settings, settings.average
    )
    phase = games.phase(settings, init, (player,), functions, fields, {STAGE: stage})
    start = (lambda stages: files.read(opened, np.float32)) if settings.train == "unet" else None
    return (phase._replace(start=start),)


def _functions(settings, nets, opened, scheduler, parts):
    """What the networks are used for, by name; and the shape of an image."""
    sampler, tokenizer = settings.sampler, opened.tokenizer()
    ids = tokenizers.tokenize(tokenizer, sampler.prompt.split("\n"))
    (negative,) = tokenizers.tokenize(tokenizer, [sampler.negative])
    image, mask, (height, width) = inputs.pictures(sampler, nets)
    side = nets.unet.config["in_channels"] - nets.latents
    if side and mask is None:
        inputs.check_inpainting(opened.path)
    shape = (height // nets.factor, width // nets.factor, nets.latents)
    whole = inputs.chain(scheduler, sampler, False)

    def prompts(variables, batch):
        def encoded(rows):
            return generate.encode_text(nets, variables, rows, sampler.skip)

        given = jnp.asarray(ids)[batch["index"] % len(ids)]
        if not sampler.prompt and "caption" in batch:
            given = inputs.padded(batch["caption"], tokenizer)
        context = encoded(given)
        null = jnp.broadcast_to(encoded(jnp.asarray(negative)[None]), context.shape)
        return generate.Prompt(context, null)

    def draw(variables, batch, key, image, mask):
        variables = parts(variables)
        start, latent, masked, fresh = (example_keys(k, batch) for k in jax.random.split(key, 4))
        edited = image is not None and sampler.strength < 1.0
        size = shape if image is None else (*_small(image, nets), nets.latents)

        def after(number):
            return normal(jax.vmap(jax.random.fold_in, (0, None))(fresh, number), size)

        noise = generate.Noise(*(normal(keys, size) for keys in (start, latent, masked)), after)
        chain = inputs.chain(scheduler, sampler, edited) if edited else whole
        latents = generate.generate(
            nets, variables, chain, prompts(variables, batch), noise, sampler.guidance,
            image, mask, not edited,
        )  # fmt: skip
        return {"image": generate.decode(nets, variables, latents)}

    def of_all(picture, batch):
        count = len(batch["index"])
        return None if picture is None else jnp.broadcast_to(picture, (count, *picture.shape))

    def sample(variables, batch, key):
        return draw(variables, batch, key, of_all(image, batch), of_all(mask, batch))

    def image_to_image(variables, batch, key):
        return draw(variables, batch, key, batch["image"], None)

    def reconstruct(variables, batch, key):
        """The image by way of the mean of its latents: what no sample can surpass."""
        variables = parts(variables)
        z = generate.encode_image(nets, variables, batch["image"], 0.0)
        return {"image": generate.decode(nets, variables, z)}

    functions = {"sample": sample, "image_to_image": image_to_image, "reconstruct": reconstruct}
    return functions, (height, width, nets.vae.config["in_channels"])


def _small(image, nets):
    return image.shape[1] // nets.factor, image.shape[2] // nets.factor


def _loss(settings, spec, nets, opened, scheduler, parts):
    """The objective of fine-tuning on images with captions."""
    inputs.check_sides("images", *field_of(spec, "image").shape[:2], nets.factor)
    field_of(spec, "caption")
    chain = published.chain(scheduler, 1)
    tokenizer = opened.tokenizer()
    (null,) = tokenizers.tokenize(tokenizer, [""])
    prediction = PREDICTIONS[chain.prediction]

    def l_simple(variables, batch, key, step):
        trained, image = parts(variables), batch["image"]
        latent, times, noises, drops = (example_keys(k, batch) for k in jax.random.split(key, 4))
        shape = (*_small(image, nets), nets.latents)
        z = generate.encode_image(nets, trained, image, normal(latent, shape))
        level = chain.schedule.draw(times)
        alpha, sigma = (x.reshape(-1, 1, 1, 1).astype(z.dtype) for x in (level.alpha, level.sigma))
        noise = normal(noises, shape)
        drop = jax.vmap(lambda k: jax.random.bernoulli(k, settings.caption_dropout))(drops)
        ids = inputs.padded(batch["caption"], tokenizer)
        ids = jnp.where(drop[:, None], jnp.asarray(null), ids)
        context = generate.encode_text(nets, trained, ids, settings.sampler.skip)
        output = nets.unet.network(
            trained, alpha * z + sigma * noise, level.time - 1.0, context=context
        )
        loss = losses.l_simple(prediction.target(z, noise, alpha, sigma), output)
        return jnp.mean(loss), Aux()

    return l_simple
