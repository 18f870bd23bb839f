"""D as an encoder of examples."""

from collections.abc import Callable

from gm_jax.adversarial.shared.latent_game import Game, repeated


def encoding(game: Game, packing: int = 1) -> dict[str, Callable]:
    """{"encode": function}; {} if D sees labels, which an encoder must not.

    Radford, Metz & Chintala 2016, section 5.1, take D's features for a classifier.
    """

    def encode(variables, batch, key):
        """The last hidden map of D on the example alone, in a row, [B, D]."""
        x = batch[game.modality]
        hidden = game.discriminator.hidden(variables, repeated(x, packing))
        return {"hidden": hidden.reshape(len(x), -1)}

    return {} if game.classes else {"encode": encode}
