"""LeNet, a wider variant for MNIST. LeCun et al. 1998, doi:10.1109/5.726791, figure 2.

Variables and layers have the names of TF-Slim's lenet.py.
"""

from penult.graph import Value, flatten, max_pool, relu, softmax, to_nhwc
from penult.images import preprocess
from penult.nets import slim
from penult.nets.spec import Architecture, Layers, Pretrained


def lenet(images: Value, classes: int) -> Layers:
    """Build the network; its input has one channel."""
    layers = {}
    x = layers["conv1"] = relu(slim.conv_bias(images, "LeNet/conv1", 32, 5))
    x = layers["pool1"] = max_pool(x, 2, stride=2)
    x = layers["conv2"] = relu(slim.conv_bias(x, "LeNet/conv2", 64, 5))
    x = layers["pool2"] = max_pool(x, 2, stride=2)
    x = layers["Flatten"] = flatten(to_nhwc(x))
    x = layers["fc3"] = relu(slim.dense_bias(x, "LeNet/fc3", 1024))
    layers["dropout3"] = x
    x = layers["Logits"] = slim.dense_bias(x, "LeNet/fc4", classes)
    layers["Predictions"] = softmax(x)
    return layers


ARCHITECTURE = Architecture(
    build=lenet,
    embedding="fc3",
    logits="Logits",
    classifier="LeNet/fc4/biases",
    paper="https://doi.org/10.1109/5.726791",
    source=slim.source("lenet.py"),
    channels=1,
)

PRETRAINED = [
    Pretrained(
        "lenet",
        ARCHITECTURE,
        size=28,
        preprocess=preprocess.lenet,
        classes=10,
    )
]
