"""The CycleGAN of configs/cyclegan_scenes.py."""

import torch
from torch import nn

from benchmarks.all.subjects import Side
from benchmarks.all.twins.common import Player, Task, count, rounds, to_images


class Block(nn.Module):
    def __init__(self, features: int):
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(features, features, 3, bias=False),
            nn.InstanceNorm2d(features), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(features, features, 3, bias=False),
            nn.InstanceNorm2d(features),
        )  # fmt: skip

    def forward(self, x):
        return x + self.branch(x)


def generator(channels: int, settings: dict) -> nn.Sequential:
    width, levels = settings["width"], 2

    def normed(convolution):
        return [convolution, nn.InstanceNorm2d(convolution.out_channels), nn.ReLU()]

    layers = [nn.ReflectionPad2d(3), *normed(nn.Conv2d(channels, width, 7, bias=False))]
    for level in range(levels):
        before = width << level
        layers += normed(nn.Conv2d(before, 2 * before, 3, 2, 1, bias=False))
    layers += [Block(width << levels) for _ in range(settings["blocks"])]
    for level in reversed(range(levels)):
        after = width << level
        layers += normed(nn.ConvTranspose2d(2 * after, after, 3, 2, 1, 1, bias=False))
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh())


def critic(channels: int, settings: dict) -> nn.Sequential:
    width, depth = settings["width"], settings["layers"]
    layers, features = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)], width
    for level in range(1, depth + 1):
        after, stride = width * min(2**level, 8), 2 if level < depth else 1
        layers.append(nn.Conv2d(features, after, 4, stride, 1, bias=False))
        layers += [nn.InstanceNorm2d(after), nn.LeakyReLU(0.2)]
        features = after
    return nn.Sequential(*layers, nn.Conv2d(features, 1, 4, 1, 1))


class Pool:
    """Old fakes, of which D sees one in half of the cases."""

    def __init__(self, size: int):
        self.size, self.kept = size, []

    def exchange(self, fakes):
        shown = []
        for fake in fakes:
            if len(self.kept) < self.size:
                self.kept.append(fake)
                shown.append(fake)
            elif torch.rand(()) < 0.5:
                slot = int(torch.randint(self.size, ()))
                shown.append(self.kept[slot])
                self.kept[slot] = fake
            else:
                shown.append(fake)
        return torch.stack(shown)


def twin(task: Task) -> Side:
    settings, batch = task.settings, task.batch
    raw = batch["image"], batch["image_b"]
    channels = raw[0].shape[3]
    to_b, to_a = (task.wrap(generator(channels, settings["generator"])) for _ in range(2))
    critic_a, critic_b = (task.wrap(critic(channels, settings["discriminator"])) for _ in range(2))
    pool_a, pool_b = Pool(settings["pool"]), Pool(settings["pool"])

    def generators_loss():
        a, b = map(to_images, raw)
        fake_b, fake_a = to_b(a), to_a(b)
        value = 0.5 * ((critic_b(fake_b) - 1) ** 2).mean()
        value = value + 0.5 * ((critic_a(fake_a) - 1) ** 2).mean()
        cycle = (to_a(fake_b) - a).abs().mean() + (to_b(fake_a) - b).abs().mean()
        identity = (to_a(a) - a).abs().mean() + (to_b(b) - b).abs().mean()
        weights = settings["adversarial"], settings["cycle"], settings["identity"]
        return sum(w * term for w, term in zip(weights, (value, cycle, identity), strict=True))

    def critics_loss():
        a, b = map(to_images, raw)
        with torch.no_grad():
            shown_a, shown_b = pool_a.exchange(to_a(b)), pool_b.exchange(to_b(a))

        def of(critic, real, fake):
            return 0.5 * ((critic(real) - 1) ** 2 + critic(fake) ** 2).mean()

        return of(critic_a, a, shown_a) + of(critic_b, b, shown_b)

    generators = Player(settings["generator"]["optimizer"], to_b, to_a, average=settings["average"])
    critics = Player(settings["discriminator"]["optimizer"], critic_a, critic_b)
    play = rounds(lambda: generators.move(generators_loss), lambda: critics.move(critics_loss))
    return Side(play, len(raw[0]), count(to_b, to_a, critic_a, critic_b))
