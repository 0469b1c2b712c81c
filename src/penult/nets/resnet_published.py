"""The ResNets that torchvision and timm publish: names, sizes, accuracies."""

SIZES = {  # timm's names by pixels of the input and per cent of the resized image that it is
    (160, 91): "resnetrs50",
    (160, 95): "test_resnet",
    (176, 87.5): "resnet10t resnet14t",
    (192, 94): "resnetrs101",
    (224, 87.5): "resnet18d resnet26 resnet26d resnet34d resnet50d resnet50c resnet101c resnet152c"
    " resnet50s resnet101s resnet152s resnext50d_32x4d resnext101_32x4d resnext101_32x8d"
    " resnext101_32x16d resnext101_32x32d resnetblur50 senet154 wide_resnet50_2 wide_resnet101_2"
    " seresnext26d_32x4d seresnext26t_32x4d seresnext50_32x4d seresnext101_32x4d"
    " seresnext101_64x4d ecaresnet50d ecaresnet50d_pruned ecaresnet101d ecaresnet101d_pruned"
    " ecaresnetlight",
    (224, 94): "resnet50_gn",
    (224, 95): "resnet18 resnet34 resnet50 resnet101 resnet152 resnetaa50 resnetaa50d resnetaa101d"
    " resnext50_32x4d resnext101_64x4d seresnet50 seresnext101_32x8d seresnext101d_32x8d",
    (256, 87.5): "ecaresnet26t ecaresnet50t",
    (256, 94): "resnet26t",
    (256, 95): "resnet101d resnet152d resnet200d seresnet152d",
    (256, 100): "resnetrs152 resnetrs200 resnetrs270",
    (288, 95): "seresnextaa101d_32x8d",
    (288, 100): "resnetrs350",
    (320, 95): "ecaresnet269d",
    (320, 100): "resnetrs420",
    (384, 100): "seresnextaa201d_32x8d",
}
TIMM = {name: numbers for numbers, names in SIZES.items() for name in names.split()}

PUBLISHED = [  # at https://download.pytorch.org/models/NAME-DIGEST.pth, BSD-3-Clause
    # name, tag, digest, shorter side, kernel, size, top-1, top-5
    ("resnet18", "IMAGENET1K_V1", "f37072fd", 256, "bilinear", 224, 69.758, 89.078),
    ("resnet34", "IMAGENET1K_V1", "b627a593", 256, "bilinear", 224, 73.314, 91.42),
    ("resnet50", "IMAGENET1K_V1", "0676ba61", 256, "bilinear", 224, 76.13, 92.862),
    ("resnet50", "IMAGENET1K_V2", "11ad3fa6", 232, "bilinear", 224, 80.858, 95.434),
    ("resnet101", "IMAGENET1K_V1", "63fe2227", 256, "bilinear", 224, 77.374, 93.546),
    ("resnet101", "IMAGENET1K_V2", "cd907fc2", 232, "bilinear", 224, 81.886, 95.78),
    ("resnet152", "IMAGENET1K_V1", "394f9c45", 256, "bilinear", 224, 78.312, 94.046),
    ("resnet152", "IMAGENET1K_V2", "f82ba261", 232, "bilinear", 224, 82.284, 96.002),
    ("resnext50_32x4d", "IMAGENET1K_V1", "7cdf4587", 256, "bilinear", 224, 77.618, 93.698),
    ("resnext50_32x4d", "IMAGENET1K_V2", "1a0047aa", 232, "bilinear", 224, 81.198, 95.34),
    ("resnext101_32x8d", "IMAGENET1K_V1", "8ba56ff5", 256, "bilinear", 224, 79.312, 94.526),
    ("resnext101_32x8d", "IMAGENET1K_V2", "110c445d", 232, "bilinear", 224, 82.834, 96.228),
    ("resnext101_64x4d", "IMAGENET1K_V1", "173b62eb", 232, "bilinear", 224, 83.246, 96.454),
    ("wide_resnet50_2", "IMAGENET1K_V1", "95faca4d", 256, "bilinear", 224, 78.468, 94.086),
    ("wide_resnet50_2", "IMAGENET1K_V2", "9ba9bcbe", 232, "bilinear", 224, 81.602, 95.758),
    ("wide_resnet101_2", "IMAGENET1K_V1", "32ee1156", 256, "bilinear", 224, 78.848, 94.284),
    ("wide_resnet101_2", "IMAGENET1K_V2", "d733dc28", 232, "bilinear", 224, 82.51, 96.02),
]
TORCHVISION = {name for name, *_ in PUBLISHED}
