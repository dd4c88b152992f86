"""Token ids -> logits: the hybrid language model and its parts (needs the extra `torch`)."""

from lunagpt.models.checkpoint import verify_folder
from lunagpt.models.decoding_state import DecodingState, LayerState
from lunagpt.models.growing_network import GrowingNetwork
from lunagpt.models.hypernet import DomainSpecificHyperAdapter, HyperAdapter, HyperNetwork
from lunagpt.models.luna_model import LunaModel, LunaOutput
from lunagpt.models.moe import MoEBlock
from lunagpt.models.parameters import parameter_groups
from lunagpt.models.relational_embeddings import RelationalPositionalEmbedding
from lunagpt.models.state_space_layer import StateSpaceLayer

__all__ = [
    "DecodingState",
    "DomainSpecificHyperAdapter",
    "GrowingNetwork",
    "HyperAdapter",
    "HyperNetwork",
    "LayerState",
    "LunaModel",
    "LunaOutput",
    "MoEBlock",
    "RelationalPositionalEmbedding",
    "StateSpaceLayer",
    "parameter_groups",
    "verify_folder",
]
