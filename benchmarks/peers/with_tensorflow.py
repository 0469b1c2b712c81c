"""Features as the script of 2018 made them: TF-Slim's own code, a session, an image at a time.

    python with_tensorflow.py NETWORK WEIGHTS FOLDER OUT.npz

TensorFlow 2 runs it by `tf.compat.v1`. Unlike that script it preprocesses as the network expects.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
import tf_slim as slim
from keras.src.legacy_tf_layers import normalization
from PIL import Image
from tf_slim.nets import resnet_v1, vgg

# TensorFlow 2.15's batch norm looks for this module under a name that no release of tf_keras has.
sys.modules["tf_keras.legacy_tf_layers.normalization"] = normalization

NETWORKS = {
    "resnet_v1_50": (resnet_v1.resnet_v1_50, resnet_v1.resnet_arg_scope, "resnet_v1_50/block4"),
    "vgg_16": (vgg.vgg_16, vgg.vgg_arg_scope, "vgg_16/fc7"),
}


def preprocess(image: tf.Tensor) -> tf.Tensor:
    """TF-Slim's preprocessing for VGG and ResNet V1, in evaluation."""
    size = tf.cast(tf.shape(image)[:2], tf.float32)
    resized = tf.cast(tf.round(size * (256 / tf.reduce_min(size))), tf.int32)
    x = tf.image.resize_bilinear(tf.cast(image, tf.float32)[None], resized)
    top, left = (resized[0] - 224) // 2, (resized[1] - 224) // 2
    return x[:, top : top + 224, left : left + 224] - [123.68, 116.78, 103.94]


def main(network: str, weights: str, folder: str, out: str) -> None:
    """Compute the features of a folder's photos."""
    tf.disable_eager_execution()
    build, arg_scope, layer = NETWORKS[network]
    image = tf.placeholder(tf.uint8, (None, None, 3))
    images = tf.ensure_shape(preprocess(image), (1, 224, 224, 3))
    with slim.arg_scope(arg_scope()):
        _, layers = build(images, num_classes=1000, is_training=False)
    features = tf.reduce_mean(layers[layer], (1, 2))
    paths = sorted(Path(folder).iterdir())
    with tf.Session() as session:
        tf.train.Saver().restore(session, weights)
        vectors = [
            session.run(features, {image: np.asarray(Image.open(path).convert("RGB"))}).squeeze()
            for path in paths
        ]
    np.savez(out, names=[path.name for path in paths], features=vectors)


if __name__ == "__main__":
    main(*sys.argv[1:])
