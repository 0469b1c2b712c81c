"""The ResNets that timm publishes: names and sizes."""

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
