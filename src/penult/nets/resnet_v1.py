"""ResNet V1 with 50, 101, 152 and 200 layers. He et al. 2015, arXiv:1512.03385, table 1.

As in TF-Slim's resnet_v1.py: a stage's stride is in its last unit rather than its first, and
variables and layers have its names.
"""

from functools import partial

from penult.graph import Value, add, global_avg_pool, max_pool, relu, softmax
from penult.nets import slim
from penult.nets.spec import Layers, NetSpec

conv_bn = partial(slim.conv_bn, epsilon=1e-5)

UNITS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3), 200: (3, 24, 36, 3)}
WIDTHS = (64, 128, 256, 512)  # of a stage's bottlenecks; four times as wide outside


def resnet_v1(images: Value, classes: int, *, depth: int) -> Layers:
    """Build the network."""
    layers: dict[str, Value] = {}
    net = f"resnet_v1_{depth}"
    x = conv_same(images, f"{net}/conv1", 64, 7, stride=2)
    x = layers[f"{net}/conv1"] = relu(x)
    x = max_pool(x, 3, stride=2, padding="SAME")
    for stage, (units, width) in enumerate(zip(UNITS[depth], WIDTHS, strict=True), start=1):
        for unit in range(1, units + 1):
            stride = 2 if unit == units and stage < 4 else 1
            scope = f"{net}/block{stage}/unit_{unit}/bottleneck_v1"
            x = bottleneck(layers, x, scope, width, stride)
        layers[f"{net}/block{stage}"] = x
    x = layers["global_pool"] = global_avg_pool(x)
    x = layers[f"{net}/logits"] = slim.logits(x, f"{net}/logits", classes)
    layers[f"{net}/spatial_squeeze"] = x
    layers["predictions"] = softmax(x)
    return layers


def bottleneck(layers: dict[str, Value], x: Value, scope: str, width: int, stride: int) -> Value:
    """Reduce, filter, widen; add the input, projected where its width differs."""
    if x.shape[0] == 4 * width:
        shortcut = max_pool(x, 1, stride=stride) if stride > 1 else x
    else:
        shortcut = conv_bn(x, f"{scope}/shortcut", 4 * width, 1, stride=stride)
        layers[f"{scope}/shortcut"] = shortcut
    y = layers[f"{scope}/conv1"] = relu(conv_bn(x, f"{scope}/conv1", width, 1))
    y = layers[f"{scope}/conv2"] = relu(conv_same(y, f"{scope}/conv2", width, 3, stride=stride))
    y = layers[f"{scope}/conv3"] = conv_bn(y, f"{scope}/conv3", 4 * width, 1)
    x = layers[scope] = relu(add(shortcut, y))
    return x


def conv_same(x: Value, scope: str, filters: int, kernel: int, *, stride: int) -> Value:
    """Convolve with the same padding on both sides whatever the size, unlike TensorFlow's SAME."""
    if stride == 1:
        return conv_bn(x, scope, filters, kernel)
    padding = ((kernel - 1) // 2, kernel // 2)
    return conv_bn(x, scope, filters, kernel, stride=stride, padding=padding)


def _spec(depth: int, top1: float | None = None, top5: float | None = None) -> NetSpec:
    file = f"resnet_v1_{depth}_2016_08_28.tar.gz"
    return NetSpec(
        name=f"resnet_v1_{depth}",
        build=partial(resnet_v1, depth=depth),
        size=224,
        preprocessing="vgg",
        features="global_pool",
        logits=f"resnet_v1_{depth}/spatial_squeeze",
        classifier=f"resnet_v1_{depth}/logits/biases",
        paper="https://arxiv.org/abs/1512.03385",
        source="https://github.com/tensorflow/models/blob/master/research/slim/nets/resnet_v1.py",
        top1=top1,
        top5=top5,
        weights=slim.published(file, "MIT") if top1 else None,
    )


NETS = [_spec(50, 75.2, 92.2), _spec(101, 76.4, 92.9), _spec(152, 76.8, 93.2), _spec(200)]
