"""Layers with variables as PyTorch names and stores them: `conv.weight`, `bn.running_mean`."""

from penult.graph import BatchNorm, Value, Variable, conv, dense, fold_batch_norm, plain


def conv_bn(
    x: Value,
    conv_name: str,
    bn_name: str,
    *,
    filters: int,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    epsilon: float,
) -> Value:
    """Convolve without bias, SAME padding, then normalise by the moving averages."""
    weight = Variable(f"{conv_name}.weight", (filters, x.shape[0] // groups, kernel, kernel))
    norm = BatchNorm(
        gamma=Variable(f"{bn_name}.weight", (filters,)),
        beta=Variable(f"{bn_name}.bias", (filters,)),
        mean=Variable(f"{bn_name}.running_mean", (filters,), trainable=False),
        variance=Variable(f"{bn_name}.running_var", (filters,), trainable=False),
        epsilon=epsilon,
    )
    folded, bias = fold_batch_norm(plain(weight), norm)
    return conv(x, folded, bias, stride=stride, groups=groups)


def linear(x: Value, name: str, outputs: int) -> Value:
    """Apply a dense layer to vectors."""
    kernel = Variable(f"{name}.weight", (outputs, *x.shape))
    bias = Variable(f"{name}.bias", (outputs,))
    return dense(x, plain(kernel), plain(bias))
