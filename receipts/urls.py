from rest_framework.routers import SimpleRouter

from receipts.viewsets import ReceiptViewSet

router = SimpleRouter(trailing_slash=False)
router.register("receipts", ReceiptViewSet, basename="receipt")
urlpatterns = router.urls
