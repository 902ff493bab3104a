"""TabM: the network of its authors, and members that differ."""

import rtdl_num_embeddings
import tabm
import torch

from pipeline.models.backbones import TableShape
from pipeline.models.backbones.tabm import Tabm

EDGES = [torch.tensor([-1.0, 0.0, 0.5, 1.0]), torch.tensor([-2.0, 0.0, 2.0])]


def test_with_the_same_weights_it_answers_as_the_network_of_its_authors() -> None:
    torch.manual_seed(0)
    embedding = rtdl_num_embeddings.PiecewiseLinearEmbeddings(EDGES, 16, activation=False, version="B")
    theirs = tabm.TabM.make(
        n_num_features=2, cat_cardinalities=[4, 7], d_out=3, num_embeddings=embedding, arch_type="tabm-mini"
    ).eval()
    table = TableShape(dense=2, cardinalities=[4, 7], outputs=3, edges=[edges.tolist() for edges in EDGES])
    ours = Tabm.of(table, [], {}).eval()
    ours.features.numbers.embedding.load_state_dict(theirs.num_module.state_dict())  # type: ignore[union-attr]
    ours.layers.load_state_dict(theirs.backbone.state_dict())
    ours.head.load_state_dict(theirs.output.state_dict())

    dense_BD, codes_BC = torch.randn(9, 2), torch.stack([torch.arange(9) % 3 + 1, torch.arange(9) % 6 + 1], dim=1)

    assert torch.equal(ours(dense_BD, codes_BC, []), theirs(dense_BD, codes_BC))


def test_members_answer_differently() -> None:
    torch.manual_seed(0)
    ensemble = Tabm.of(TableShape(dense=2, cardinalities=[], outputs=1), [3], {"members": 8, "width": 16})

    told_BM = ensemble(torch.randn(5, 2), torch.zeros(5, 0, dtype=torch.int64), [torch.randn(5, 3)])[:, :, 0]

    assert (told_BM.std(dim=1) > 0).all()
