"""What every recipe has, whatever its system."""

import dataclasses
from typing import Annotated, Any

import jax

from gm_jax.settings.marks import Recipes, Restartable, Rule, above, at_least, below, one_of
from gm_jax.settings.reports import Checkpoint, Count, Every, Report, Sample, Show
from gm_jax.settings.schema import schema

GREY_OR_RGB = Rule(lambda value: "" if value in (1, 3) else "must be 1 (grey) or 3 (RGB)")


@schema
class Data:
    """The data set; each source says in `gm_jax/data` what it takes of this.

    name       a source (digits, folder, npz, emoji, shapes, scenes, dancers, moving_digits,
               photographs, patches, pairs, styled, text, wav, ring, grid, stacked, two_domains,
               half_labelled; none or blank for models that are only sampled) or an image data set
               of TFDS
    path       the file or folder, if the source is one; a zip archive is read as a folder
    directory  where TFDS keeps prepared data; "" for its default
    size       height and width of images: the shorter side is resized, the longer cropped; if not
               set, a folder's images must be of one size
    pad        of TFDS: smaller images get black around them up to `size`, and are not enlarged
    crop       which part is kept: the "centre", or "random", another one at each visit in training
    channels   1 for grey or 3 for RGB; if not set, a folder's images are grey if all of them are
    classes    how many labels there are; if not set, one more than the highest
    flip       mirror images left to right at random in training
    binarize   black and white images: "fixed" once for all, "redrawn" at each visit, "" for grey
    base       the data set that composed data (stacked, two_domains, half_labelled, styled,
               moving_digits) is made of
    labelled   of half_labelled: examples whose labels are known, as many of each class; 0 for all
    draw       of half_labelled: another draw of the labelled examples
    modes      modes of a ring
    radius     radius of a ring
    deviation  standard deviation of each mode of a mixture
    context    positions of a window that are only seen
    length     positions of a window that are predicted
    stride     distance between the windows of a text in training
    rate       samples a second of recordings
    resample   bring recordings of other rates to `rate`
    mono       take the mean of a recording's channels
    encoding   of a text file, by Python's name: utf-8, latin-1, utf-16, ...
    captions   "words" gives what is written about each image as an entry `caption`, "clip" as the
               symbols of CLIP's text encoder; "" for none
    template   what is written about an image of a class that has no caption, {} for the name of
               the class: "a photo of a {}"; "" for nothing
    caption_length  words of a caption at most; if not set, as many as the longest has. Of clip:
                    symbols, 77
    frames     of films of shapes and dancers; 0 for pictures. Of moving_digits: 0 for 20
    movers     digits in a film of moving_digits
    person     number of the only person whom dancers show; if not set, everybody
    held_out   colours and shapes that training pictures of shapes never pair: "purple circle"
    vocabulary  of clip: a folder with vocab.json and merges.txt, or CLIP's file of merges; "" for
                where GM_JAX_CLIP_VOCABULARY says
    domains    what `image` and `image_b` show: of scenes two of map, outline, plain and
               photo, of pairs the names of two folders; () for the source's own
    layout     of pairs: "halves" of one picture, two "folders", or images and "masks"
    resize     of pairs: what the shorter side is resized to in training before a random crop to
               `size`; if not set, `size`. Of styled: that of the style pictures, always
    styles     of styled: pictures whose styles are learned, a folder or an npz; "patterns" for
               some that are drawn
    unpaired   in training `image_b` is not the partner of `image`, but another one's
    """

    name: str = "digits"
    path: Annotated[str, Restartable(trains=True)] = ""
    directory: Annotated[str, Restartable(trains=True)] = ""
    size: Annotated[int | None, at_least(1)] = None
    pad: bool = False
    crop: Annotated[str, one_of(("centre", "random"))] = "centre"
    channels: Annotated[int | None, GREY_OR_RGB] = None
    classes: Annotated[int | None, at_least(1)] = None
    flip: bool = False
    binarize: Annotated[str, one_of(("", "fixed", "redrawn"))] = ""
    base: str = "mnist"
    labelled: Count = 0
    draw: Count = 0
    modes: Every = 8
    radius: Annotated[float, above(0.0)] = 2.0
    deviation: Annotated[float | None, above(0.0)] = None
    context: Count = 1
    length: Every = 64
    stride: Every = 1
    rate: Every = 8000
    resample: bool = False
    mono: bool = False
    encoding: str = "utf-8"
    frames: Count = 0
    movers: Every = 2
    person: Annotated[int | None, at_least(0)] = None
    held_out: tuple[str, ...] = ("purple circle", "green cross")
    captions: Annotated[str, one_of(("", "words", "clip"))] = ""
    template: str = ""
    caption_length: Annotated[int | None, at_least(1)] = None
    vocabulary: Annotated[str, Restartable(trains=True)] = ""
    domains: tuple[str, ...] = ()
    layout: Annotated[str, one_of(("halves", "folders", "masks"))] = "halves"
    resize: Annotated[int | None, at_least(1)] = None
    styles: Annotated[str, Restartable(trains=True)] = ""
    unpaired: bool = False

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.crop == "random" and not self.size:
            yield "crop is random: set data.size, too"
        if self.pad and not self.size:
            yield "pad needs the size that images are brought to: set data.size, too"
        if self.resize and (self.crop != "random" or self.resize < (self.size or 0)):
            yield f"resize {self.resize} needs crop=random and a size that is not larger"
        if len(self.domains) not in (0, 2):
            yield f"domains must name two, not {len(self.domains)}"
        if self.frames == 1:
            yield "frames is 1: a film has at least 2, and 0 is for pictures"


@schema
class Evaluate:
    """What --mode=evaluate measures.

    every       rounds between two evaluations in training; 0 for none
    batch_size  examples at once
    counts      {function: examples of the split}, 0 for all: the mean of each value it returns
    split       of the data
    score       samples for the Frechet distance on a small classifier's features; 0 for none
    variation   samples whose patches are compared with the data's, and whose MS-SSIM is taken
    diversity   pairs of samples, each of one caption or label, whose MS-SSIM is taken
    modes       samples for mode coverage
    agreement   samples whose class, by a classifier, is compared with their label or pair
    preserved   examples whose class, by a classifier, is compared with their reconstruction's
    clustering  examples whose codes are matched with their labels
    arithmetic  latents whose means and sums are compared with the classes that they show
    translation  examples whose translations are compared with their true partners
    styles      examples whose style is told from their restyled picture
    films       films of the split, made of poses, that are compared with the true ones
    transfer    dances of another person that are compared with the true ones
    references  films of the split whose frames are predicted without a model
    attributes  {function: examples of the split} that are compared with their captions (of shapes)
    stories     stories whose parts are compared with sampler.prompts (films of shapes)
    retrieval   images and captions of the split that CLIP matches, all of different meaning
    zero_shot   images of the split whose class CLIP finds by `prompts`
    prompts     texts about a class, {} for its name
    clip        workdir of the CLIP by which samples are scored
    clip_score  samples whose similarity to their captions is averaged
    r_precision  samples among whose captions CLIP finds their own
    cmmd        samples whose embeddings are compared with those of the split
    annealing   runs of AIS that estimate the partition function, and with it log-likelihoods
    codes       examples whose codes' energy distance to the prior is taken
    features    numbers of labelled examples, 0 for all, with which classifiers of the model's
                features are trained
    features_of     the function whose real numbers are the features, or an entry of the data
    features_draws  choices of the labelled examples, of each number but all
    features_tuned  numbers of labelled examples with which the features go on learning, too, beside
                    the same from scratch
    features_rounds  of that, a hundred examples each, or as many as two passes need
    lpips       examples whose LPIPS distance to their reconstruction is taken
    lpips_network  of it
    lpips_weights  the file of that network's weights, torchvision's
    lpips_sha256   of a file that is not the published one, as you state it
    metrics     on Inception's features: "fid,kid,prdc" of `samples` against the training images
    samples     number of samples for `metrics`
    protocol    of `metrics`
    grey        "repeat" shows grey images to Inception as three equal channels
    weights     the file of Inception's weights
    """

    every: Count = 0
    batch_size: Every = 256
    counts: dict[str, Count] = dataclasses.field(default_factory=dict)
    split: str = "test"
    score: Count = 0
    variation: Count = 0
    diversity: Count = 0
    modes: Count = 0
    agreement: Count = 0
    preserved: Count = 0
    clustering: Count = 0
    arithmetic: Count = 0
    translation: Count = 0
    styles: Count = 0
    films: Count = 0
    transfer: Count = 0
    references: Count = 0
    attributes: dict[str, Count] = dataclasses.field(default_factory=dict)
    stories: Count = 0
    retrieval: Count = 0
    zero_shot: Count = 0
    prompts: tuple[str, ...] = ("a photo of a {}",)
    clip: str = ""
    clip_score: Count = 0
    r_precision: Count = 0
    cmmd: Count = 0
    annealing: Count = 0
    codes: Count = 0
    features: tuple[Count, ...] = ()
    features_of: str = "encode"
    features_draws: Every = 3
    features_tuned: tuple[Count, ...] = ()
    features_rounds: Every = 500
    lpips: Count = 0
    lpips_network: Annotated[str, one_of(("alexnet", "vgg16", "squeezenet"))] = "alexnet"
    lpips_weights: str = ""
    lpips_sha256: str = ""
    metrics: str = ""
    samples: Every = 10_000
    protocol: str = "tf2015"
    grey: str = "repeat"
    weights: str = ""

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.features_tuned and not self.features:
            yield "features_tuned goes with fixed features: set evaluate.features, too"


@schema
class Study:
    """A recipe in several versions over several seeds; `gm_jax/study.py`.

    entries   {name: settings that differ}; those that only use a trained model in another way
              share its training
    seeds     of every entry
    measures  names among the values that the evaluation returns
    against   the measure (evaluations) or setting (sampler.guidance) that the figure's x-axis
              shows: entries are then points of lines, named by what stands before the last "_"
              (heun_5, heun_10)
    """

    entries: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    seeds: tuple[int, ...] = ()
    measures: tuple[str, ...] = ()
    against: str = ""


@schema
class Recipe:
    """What every recipe has; a system's own settings come on top.

    system      its name in the zoo
    steps       rounds to play
    batch_size  examples of a round's batch, over all devices
    seed        of the initial variables, the data's order and all noise
    dtype       of the networks' computation; parameters, losses and statistics are float32
    average     decay of the parameters' moving average, which all functions use; 0 for none
    parallel    how variables lie on the devices: a copy on each, by jax.pmap ("pmap") or by
                jax.shard_map ("replicated"), or so with the optimizers' states and the averages
                in shares ("optimizer"); a run may continue in another form
    stages      {name: workdir of an earlier run, or a recipe to train first}; those that only
                sampling needs are there from the start, "" for none, and may come after training
    """

    system: str
    steps: Annotated[int, at_least(1), Restartable(trains=True)]
    batch_size: Every
    seed: Annotated[int, at_least(0), below(2**32)] = 0
    dtype: Annotated[str, one_of(("float32", "bfloat16", "float16", "float64"))] = "float32"
    average: Annotated[float, at_least(0.0), below(1.0)] = 0.0
    parallel: Annotated[str, one_of(("pmap", "replicated", "optimizer")), Restartable()] = "pmap"
    data: Data = Data()
    report: Annotated[Report, Restartable()] = Report()
    checkpoint: Annotated[Checkpoint, Restartable()] = Checkpoint()
    show: Annotated[Show, Restartable()] = Show()
    sample: Annotated[Sample, Restartable()] = Sample()
    evaluate: Annotated[Evaluate, Restartable()] = Evaluate()
    study: Study = Study()
    stages: Annotated[dict[str, Any], Recipes()] = dataclasses.field(default_factory=dict)

    def wrong(self):
        """Choices that do not go together, a line for each."""
        if self.dtype == "float64" and not jax.config.jax_enable_x64:
            yield "dtype float64 needs JAX_ENABLE_X64=1; without it JAX computes in float32"
