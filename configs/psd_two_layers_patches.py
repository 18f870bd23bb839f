"""Two layers of predictive sparse decomposition: codes of the pooled codes of natural patches.

paper: Kavukcuoglu, Ranzato & LeCun 2010, Fast Inference in Sparse Coding Algorithms with
  Applications to Object Recognition, arXiv 1010.3467; stacked as in Jarrett, Kavukcuoglu, Ranzato
  & LeCun 2009, What is the Best Multi-Stage Architecture for Object Recognition?, ICCV
command: python launch.py --config=configs/psd_two_layers_patches.py
  --workdir=runs/psd_two_layers_patches
hardware: one of 2 CPU cores (AMD EPYC), float32
time: 10 min (crowded machine, low priority); 78 s of processor time
metric: as configs/psd_patches.py, of the second layer: x are the first layer's codes of 4x4 windows
  of 8x8 pixels in patches of 20x20, rectified and averaged over squares of 2x2 windows
departs: two photographs; polarities are split where the paper takes |z|, contrast is divided out
  over the whole patch, and no mean is subtracted; windows every 4 pixels
reference: none for these photographs
measured: encoder 62.4 ± 2.3, 40 steps of FISTA 60.4 ± 2.2 (3 % above); FISTA after 1 / 2 / 4 / 8
  steps 81.2 / 77.8 / 72.6 / 66.5; 9.8 of 256 units of the encoder active
target: in the second layer, too, an encoder less than a third above FISTA's objective
again: python launch.py --workdir=runs/psd_two_layers_patches --mode=evaluate
status: toy

A picture of an atom of the second layer shows the first layer's atoms that it pools, each where its
windows are: `below` is trained first, by the same recipe with smaller patches.
"""

from pathlib import Path

from gm_jax.recipes import derive, only


def get_config(variant=""):
    only(variant, "smoke")
    psd = Path(__file__).with_name(f"psd_patches.py:{variant}")
    if variant == "smoke":
        below = derive(psd, dict(atoms=6))
        own = dict(data=dict(size=10), pooling=dict(stride=2, side=2))
    else:
        below = derive(psd, dict(data=dict(size=8), atoms=96))
        own = dict(
            steps=600,
            data=dict(size=20),
            atoms=256,
            penalty=2.0,
            pooling=dict(stride=4, side=2),
            inference=dict(name="fista", steps=40),
            optimizer=dict(decay_steps=600),
            refinement=dict(steps=400, optimizer=dict(decay_steps=400)),
            show=dict(counts=dict(atoms=256, filters=256)),
        )
    return derive(psd, own | dict(stages=dict(below=below.to_dict())))
