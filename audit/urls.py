from rest_framework.routers import SimpleRouter

from audit.viewsets import PackViewSet

router = SimpleRouter(trailing_slash=False)
router.register("audit-packs", PackViewSet, basename="audit-pack")
urlpatterns = router.urls
