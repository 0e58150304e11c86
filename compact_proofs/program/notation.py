from torch.fx import Graph


def text(graph: Graph) -> str:
    return str(graph)
