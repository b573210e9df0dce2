from rest_framework.routers import SimpleRouter

from connections.viewsets import ConnectionViewSet

router = SimpleRouter(trailing_slash=False)
router.register("connections", ConnectionViewSet, basename="connection")
urlpatterns = router.urls
