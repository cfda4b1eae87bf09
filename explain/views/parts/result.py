from ..result import asked as index_facts
from ..result import seen as prepare
