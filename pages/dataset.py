"""Dataset: exactly what a model will learn, what is missing, and how it is evened out (`?view=coverage`)."""

from pages.parts.dataset_head import dataset_head
from pages.parts.dataset_views import dataset_views
from pages.parts.layout import begin, told

begin()
with told():
    if dataset := dataset_head():
        dataset_views(*dataset)
